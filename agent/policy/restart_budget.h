#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "agent/config/restart_config.h"
#include "agent/os/clock.h"

namespace codex {

/// How long to wait before the next automatic start, and whether there may be one at all. Pure: knows no
/// clock; the jitter comes from a seeded generator. Words as in systemd.service(5) and Pebble.
class RestartBudget {
 public:
  RestartBudget(const RestartConfig& config, std::uint64_t seed);

  struct Verdict {
    bool allowed = true;
    Duration delay{0};
  };

  /// A run that lasted `uptime` failed at `now`. The first failure after stable uptime waits initial_delay,
  /// the following ones 1 s * factor^n up to max_delay, with 10 % jitter. Not allowed once start_limit
  /// automatic starts lie within start_limit_interval; who starts all the same waits max_delay.
  Verdict on_failure(Duration uptime, TimePoint now);

  /// Nothing could be started, for want of something that may be there in a moment: waits as after a failure,
  /// but is none that would count against start_limit.
  Duration on_shortage() { return next_delay(); }

  /// An operator took over: forget the past.
  void reset();

  [[nodiscard]] int failures() const { return failures_; }

  /// Automatic restarts that are still allowed within the interval that ends at `now`.
  [[nodiscard]] int remaining(TimePoint now) const;

  /// What a successor in another process needs to go on counting; times are CLOCK_MONOTONIC of this boot.
  struct History {
    int failures = 0;
    std::vector<TimePoint> restarts;
  };
  [[nodiscard]] History history() const { return {failures_, {restarts_.begin(), restarts_.end()}}; }
  void restore(const History& history);

 private:
  Duration next_delay();

  RestartConfig config_;
  std::mt19937_64 random_;
  int failures_ = 0;                ///< since the last stable run
  std::deque<TimePoint> restarts_;  ///< automatic restarts within the interval
};

}  // namespace codex
