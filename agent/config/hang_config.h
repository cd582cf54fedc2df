#pragma once

#include <optional>

#include "agent/os/clock.h"

namespace codex {

/// kContinue: SIGCONT, for the class `stopped` alone.
enum class HangReaction { kRestart, kReport, kContinue };

/// What is done about one of several workers that hangs while others go on.
enum class HangWorkerAction {
  kReport,  ///< it is told
  kKill,    ///< that process is ended, once its master is known to replace it
};
struct HangWorkerConfig {
  HangWorkerAction action = HangWorkerAction::kReport;
  bool replaced = false;  ///< the master replaces a worker that ends; else that is to be seen first
};

/// What differs from the defaults (hang_policy.h) for one class of hangs.
struct HangRule {
  std::optional<HangReaction> action;
  std::optional<Duration> after;  ///< how long a hang must have lasted
};

}  // namespace codex
