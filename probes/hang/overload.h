#pragma once

#include <deque>
#include <string>

#include "probes/hang/cpu_window.h"
#include "probes/hang/hang_observation.h"

namespace codex {

/// Judges whether a server that keeps people waiting is merely overloaded: its thread has had no time left
/// for some seconds, and yet reads and writes, as one does that answers requests. Pure.
///
/// New connections may then wait for longer than any probe's patience. A restart would turn away those who
/// are served and bring no time back.
class Overload {
 public:
  /// Call with every look at a process that listens.
  void observe(const HangObservation& seen);
  void reset();

  [[nodiscard]] bool overloaded() const;
  /// It has read and written lately, as one does that answers somebody.
  [[nodiscard]] bool gets_on() const;
  /// "uses 98 % of a CPU and goes on reading and writing"
  [[nodiscard]] std::string why() const;

 private:
  struct Sample {
    TimePoint at;
    bool runnable, alive;
  };
  static constexpr Duration kSpan = std::chrono::seconds(3);
  CpuWindow cpu_{kSpan};
  std::deque<Sample> samples_;
  int runnable_ = 0, alive_ = 0;
  std::uint64_t reads_before_ = 0, writes_before_ = 0;
};

}  // namespace codex
