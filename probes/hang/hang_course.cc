#include "probes/hang/hang_course.h"

#include <algorithm>

namespace codex {

namespace {

using State = HangVerdict::State;

/// Who has the word: the strongest of those who are surest.
const HangFinding* speaker(const std::vector<HangFinding>& findings) {
  const HangFinding* found = nullptr;
  for (const auto& finding : findings) {
    if (finding.state == State::kHealthy) continue;
    const bool surer = found == nullptr || finding.state > found->state;
    if (surer || (finding.state == found->state && finding.source < found->source)) found = &finding;
  }
  return found;
}

}  // namespace

void HangCourse::suspect(const HangFinding& finding) {
  verdict_.state = State::kSuspect;
  verdict_.hang = finding.hang;
  verdict_.why = finding.why;
  verdict_.since = finding.since;
  verdict_.clock = finding.clock;
}

void HangCourse::confirm(const HangFinding& finding) {
  verdict_.state = State::kConfirmed;
  verdict_.hang = finding.hang;
  verdict_.why = finding.why;
  named_by_ = finding.source;
}

/// The loop's own clock is CPU-honest, also for this one; whoever else speaks has the wall's.
void HangCourse::count(const HangFinding& finding, Duration elapsed) {
  if (finding.source != HangSource::kLoop) {
    verdict_.clock = std::max(verdict_.clock + elapsed, finding.clock);
    return;
  }
  if (finding.since != block_since_) before_block_ = verdict_.clock - std::min(verdict_.clock, finding.clock);
  block_since_ = finding.since;
  verdict_.clock = std::max(verdict_.clock, before_block_ + finding.clock);
}

const HangVerdict& HangCourse::observe(TimePoint now, Duration elapsed,
                                       const std::vector<HangFinding>& findings, bool lasting) {
  const HangFinding* heard = speaker(findings);
  if (heard == nullptr) {
    if (verdict_.state == State::kConfirmed) verdict_.clock += elapsed;
    if (!lasting && verdict_.state != State::kHealthy && now - heard_at_ >= kRecovery) forget();
    return verdict_;
  }
  if (verdict_.state != State::kConfirmed) {
    suspect(*heard);
    block_since_ = heard->since;
    before_block_ = Duration{0};
    if (heard->state == State::kConfirmed) confirm(*heard);
    namer_heard_at_ = now;
  } else {
    count(*heard, elapsed);
    for (const auto& finding : findings) {
      if (finding.state != State::kHealthy && finding.source <= named_by_) namer_heard_at_ = now;
    }
    const bool entitled = heard->source <= named_by_ || now - namer_heard_at_ >= kRecovery;
    if (heard->state == State::kConfirmed && entitled) confirm(*heard);
  }
  heard_at_ = now;
  return verdict_;
}

}  // namespace codex
