#pragma once

#include <array>
#include <cstdint>

#include "exporters/recent.h"

namespace codex {

/// A quantity over the last hour: the largest value of every ten seconds. 1.4 KiB, whatever happens. Pure.
class RecentSeries {
 public:
  RecentSeries();

  /// `at` does not go back.
  void note(double value, TimePoint at);

  [[nodiscard]] RecentValues values(TimePoint now) const;

 private:
  [[nodiscard]] float at_slot(std::int64_t slot) const;

  std::array<float, kRecentSlots> slots_;  ///< slot n since the clock's epoch is at n % kRecentSlots
  std::int64_t newest_ = 0;
};

}  // namespace codex
