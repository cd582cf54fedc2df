#pragma once

#include <string>
#include <utility>

#include "agent/policy/probe_tracker.h"

namespace codex::testing {

inline ProbeSpec probe_spec(std::string name, ProbeKind kind, ProbeRole role = ProbeRole::kLiveness) {
  ProbeSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.role = role;
  return spec;
}

/// One attempt, begun at `began`, succeeds.
inline void succeed(ProbeTracker& probe, TimePoint began) {
  ProbeResult result;
  result.outcome = Outcome::kSuccess;
  probe.record(result, began, {});
}

/// As many attempts as make it count as failing, a second apart from `began` on, fail.
inline void fail(ProbeTracker& probe, TimePoint began, Reason reason = Reason::kRefused,
                 std::string detail = {}) {
  ProbeResult result;
  result.outcome = Outcome::kFailure;
  result.reason = reason;
  result.detail = std::move(detail);
  for (int i = 0; i < probe.spec().failure_threshold; ++i)
    probe.record(result, began + std::chrono::seconds(i), {});
}

}  // namespace codex::testing
