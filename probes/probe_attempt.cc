#include "probes/probe_attempt.h"

namespace codex {

ProbeAttempt::ProbeAttempt(EventLoop& loop, const std::string& name, Steps steps)
    : loop_(loop), steps_(std::move(steps)), deadline_timer_(loop, name + " deadline", [this] {
        if (!under_way()) return;
        // Late because our own loop was: that is no finding about the peer.
        if (!asked_) return give_up("the agent was too busy to ask in time");
        guard(steps_.expire)();
      }) {}

void ProbeAttempt::begin(TimePoint deadline, Probe::Done done) {
  began_ = Clock::now();
  deadline_ = deadline;
  done_ = std::move(done);
  asked_ = false;
  in_phase_ = false;
  phases_.clear();
  token_ = std::make_shared<const int>(0);
  deadline_timer_.arm_at(deadline);
  loop_.post(guard([this] {
    asked_ = true;
    phase_began_ = Clock::now();
    const auto ask = steps_.ask;  // A copy: the answer may destroy us.
    ask();
  }));
}

void ProbeAttempt::cancel() {
  token_.reset();
  done_ = nullptr;
  deadline_timer_.disarm();
  steps_.release();
}

void ProbeAttempt::finish(ProbeResult result) {
  if (!under_way()) return;
  close_phase();
  result.elapsed = elapsed();
  result.phases = std::move(phases_);
  phases_.clear();
  const auto done = std::exchange(done_, nullptr);
  cancel();
  if (done) done(result);
}

void ProbeAttempt::finish(Outcome outcome, Reason reason, std::string detail) {
  ProbeResult result;
  result.outcome = outcome;
  result.reason = reason;
  result.detail = std::move(detail);
  finish(std::move(result));
}

void ProbeAttempt::finish(const Finding& finding, const std::string& detail) {
  finish(finding.outcome, finding.reason, detail);
}

void ProbeAttempt::enter(Phase phase) {
  if (in_phase_ && phase == phase_) return;
  close_phase();
  in_phase_ = true;
  phase_ = phase;
}

void ProbeAttempt::record(Phase phase, Duration elapsed) {
  close_phase();
  for (auto& known : phases_) {
    if (known.phase != phase) continue;
    known.elapsed += elapsed;
    return;
  }
  phases_.push_back({phase, elapsed});
}

void ProbeAttempt::rename_phase(Phase phase) {
  phase_ = phase;
}

void ProbeAttempt::close_phase() {
  const auto now = Clock::now();
  if (std::exchange(in_phase_, false)) record(phase_, now - phase_began_);
  phase_began_ = now;
}

}  // namespace codex
