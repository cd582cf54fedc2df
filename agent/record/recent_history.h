#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/record/recent_series.h"

namespace codex {

/// What is remembered of one backend's last hour: its states, how soon its probes answered, what it used.
/// Bounded: some 3 KiB, 3 KiB a probe, and at most kMaxStates changes of state. Pure.
class RecentHistory {
 public:
  static constexpr std::size_t kMaxStates = 200;

  explicit RecentHistory(std::vector<std::string> probes);

  /// It is in `state` from `at` on, "" is unknown; the same state again changes nothing. `at` does not go
  /// back.
  void entered(std::string_view state, std::string_view reason, TimePoint at);

  /// An attempt of the probe with this index succeeded after `seconds`, or failed (nullopt).
  void asked(std::size_t probe, std::optional<double> seconds, TimePoint at);

  void used(double memory_bytes, std::optional<double> cpu_ratio, TimePoint at);

  /// Everything but the events.
  [[nodiscard]] BackendRecent tell(TimePoint now) const;

 private:
  struct Entered {
    TimePoint at;
    std::string state, reason;
  };
  struct Probe {
    std::string name;
    RecentSeries seconds, failures;
  };
  std::deque<Entered> states_;
  std::vector<Probe> probes_;
  RecentSeries used_memory_bytes_, cpu_ratio_;
};

}  // namespace codex
