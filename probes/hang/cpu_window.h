#pragma once

#include <cstdint>
#include <deque>

#include "agent/os/clock.h"

namespace codex {

/// How much of a CPU somebody has used lately: the last readings of a counter of CPU time. Pure.
class CpuWindow {
 public:
  /// `length`: older readings are forgotten, but for the last two.
  explicit CpuWindow(Duration length) : length_(length) {}

  /// `nanos`: what the counter said at `at`, which is never before the time of the last reading.
  void add(TimePoint at, std::uint64_t nanos);
  void clear() { readings_.clear(); }

  /// From the first reading to the last; 0 without two.
  [[nodiscard]] Duration span() const;

  /// Of one CPU, over the shortest span up to the last reading that is as long as `least`, else over all of
  /// them. 0 without two readings, or if the counter has gone back.
  [[nodiscard]] double ratio(Duration least = Duration::max()) const;

 private:
  struct Reading {
    TimePoint at;
    std::uint64_t nanos;
  };
  Duration length_;
  std::deque<Reading> readings_;
};

}  // namespace codex
