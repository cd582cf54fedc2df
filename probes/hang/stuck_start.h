#pragma once

#include <deque>
#include <optional>
#include <string>

#include "probes/hang/hang_observation.h"

namespace codex {

/// Judges whether a backend that does not listen yet still gets on. Pure. Signs of life are CPU time,
/// read and write calls, and output, each above what an idle runtime does; a tree that only burns CPU is
/// given longer.
class StuckStart {
 public:
  /// `usual`: how long starts of this backend took at most; nullopt before the first.
  void observe(const StartupView& startup, std::optional<Duration> usual);
  void reset();

  enum class State { kGettingOn, kSuspect, kStuck };
  [[nodiscard]] State state() const { return state_; }
  /// How long it has made no progress.
  [[nodiscard]] Duration clock() const { return clock_; }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  [[nodiscard]] bool quiet_for(Duration span, bool may_burn) const;

  std::deque<StartupView> looks_;  ///< the last 20 s
  State state_ = State::kGettingOn;
  Duration clock_{0};
  std::string why_;
};

}  // namespace codex
