#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "agent/os/clock.h"

namespace codex {

/// What the loop knows of itself; exported as codex_agent_loop_*.
struct LoopStats {
  static constexpr std::array<double, 8> kLagBounds = {.001, .005, .01, .05, .1, .5, 1, 5};
  std::array<std::uint64_t, kLagBounds.size() + 1> lag_counts{};  ///< per bucket, the last is +Inf
  double lag_sum_seconds = 0;         ///< how late timers fired, against the time they asked for
  std::uint64_t callback_errors = 0;  ///< exceptions that reached the loop
  Duration slowest_callback{0};
  std::string slowest_callback_name;
  WallTime last_iteration{};
};

}  // namespace codex
