#include "agent/record/recent_series.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace codex {

namespace {

constexpr auto kSlots = static_cast<std::int64_t>(kRecentSlots);
constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

std::int64_t slot_of(TimePoint at) {
  return at.time_since_epoch() / kRecentStep;
}

}  // namespace

RecentSeries::RecentSeries() {
  slots_.fill(kUnknown);
}

void RecentSeries::note(double value, TimePoint at) {
  const std::int64_t slot = slot_of(at);
  if (std::isnan(value) || slot < newest_) return;
  // What is older than an hour makes room, and so does the time in which nothing was noted.
  for (std::int64_t n = std::max(newest_ + 1, slot - kSlots + 1); n <= slot; ++n)
    slots_[static_cast<std::size_t>(n % kSlots)] = kUnknown;
  newest_ = slot;
  float& kept = slots_[static_cast<std::size_t>(slot % kSlots)];
  kept = std::fmax(kept, static_cast<float>(value));
}

float RecentSeries::at_slot(std::int64_t slot) const {
  const bool known = slot >= 0 && slot <= newest_ && slot > newest_ - kSlots;
  return known ? slots_[static_cast<std::size_t>(slot % kSlots)] : kUnknown;
}

RecentValues RecentSeries::values(TimePoint now) const {
  RecentValues values;
  values.reserve(kRecentSlots);
  const std::int64_t last = slot_of(now);
  for (std::int64_t slot = last - kSlots + 1; slot <= last; ++slot) values.push_back(at_slot(slot));
  return values;
}

}  // namespace codex
