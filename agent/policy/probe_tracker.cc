#include "agent/policy/probe_tracker.h"

#include <utility>

namespace codex {

ProbeTracker::ProbeTracker(ProbeSpec spec) : spec_(std::move(spec)) {
  for (const Reason reason : kFailureReasons) failures_by_reason_[std::string(to_string(reason))] = 0;
}

void ProbeTracker::begin_generation() {
  failing_ = false;
  failures_ = successes_ = 0;
  last_success_began_.reset();
  succeeding_since_.reset();
  failures_began_.clear();
  count_from_.reset();
  excuse_.reset();
}

void ProbeTracker::forgive(TimePoint now, std::optional<Excuse> excuse) {
  count_from_ = now;
  failures_began_.clear();
  excuse_ = std::move(excuse);
}

std::optional<TimePoint> ProbeTracker::threshold_began() const {
  if (static_cast<int>(failures_began_.size()) < spec_.failure_threshold) return std::nullopt;
  return failures_began_.front();
}

void ProbeTracker::record(const ProbeResult& result, TimePoint began, WallTime ended) {
  last_ = result;
  if (result.outcome != Outcome::kUnknown) excuse_.reset();
  attempted_ = true;
  last_attempt_ = ended;
  last_ended_ = began + result.elapsed;
  switch (result.outcome) {
    case Outcome::kSuccess:
      ++attempts_;
      ++successes_;
      failures_ = 0;
      failures_began_.clear();
      if (!succeeding_since_) succeeding_since_ = began;
      last_success_began_ = began;
      last_success_ = ended;
      duration_.observe(to_seconds(result.elapsed));
      if (succeeding()) failing_ = false;
      return;
    case Outcome::kFailure:
      ++attempts_;
      ++failures_by_reason_[std::string(to_string(result.reason))];
      ++failures_;
      successes_ = 0;
      succeeding_since_.reset();
      if (!count_from_ || began >= *count_from_) failures_began_.push_back(began);
      if (static_cast<int>(failures_began_.size()) > spec_.failure_threshold) failures_began_.pop_front();
      if (failures_ >= spec_.failure_threshold) failing_ = true;
      return;
    case Outcome::kUnknown:
      return;
  }
}

ProbeSnapshot ProbeTracker::snapshot() const {
  ProbeSnapshot probe;
  probe.name = spec_.name;
  probe.kind = to_string(spec_.kind);
  probe.role = to_string(spec_.role);
  probe.target = spec_.target;
  probe.period_seconds = to_seconds(spec_.period);
  probe.timeout_seconds = to_seconds(spec_.timeout);
  probe.failure_threshold = spec_.failure_threshold;
  probe.consecutive_failures = failures_;
  probe.attempts = attempts_;
  probe.failures = failures_by_reason_;
  probe.duration = duration_;
  probe.last_attempt = last_attempt_;
  probe.last_success = last_success_;
  if (!attempted_) return probe;
  probe.outcome = to_string(last_.outcome);
  if (last_.outcome != Outcome::kSuccess) probe.reason = to_string(last_.reason);
  probe.elapsed_seconds = to_seconds(last_.elapsed);
  probe.detail = last_.detail;
  for (const auto& phase : last_.phases)
    probe.phases.emplace_back(to_string(phase.phase), to_seconds(phase.elapsed));
  if (spec_.kind == ProbeKind::kHttp) {
    probe.http_status = last_.http_status.value_or(0);
    probe.body_bytes = last_.body_bytes.value_or(0);
  }
  return probe;
}

}  // namespace codex
