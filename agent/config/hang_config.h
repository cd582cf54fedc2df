#pragma once

#include <optional>

#include "agent/os/clock.h"

namespace codex {

/// kContinue: SIGCONT, for the class `stopped` alone.
enum class HangReaction { kRestart, kReport, kContinue };

/// What differs from the defaults (hang_policy.h) for one class of hangs.
struct HangRule {
  std::optional<HangReaction> action;
  std::optional<Duration> after;  ///< how long a hang must have lasted
};

}  // namespace codex
