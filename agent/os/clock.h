#pragma once

#include <chrono>

namespace codex {

/// CLOCK_MONOTONIC. Every decision uses it; the wall clock is only shown (clock_gettime(2)).
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = std::chrono::nanoseconds;

/// CLOCK_REALTIME, for timestamps that people and Prometheus read.
using WallTime = std::chrono::system_clock::time_point;

inline double to_seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

/// Unix time in seconds.
inline double to_unix_seconds(WallTime t) {
  return std::chrono::duration<double>(t.time_since_epoch()).count();
}

}  // namespace codex
