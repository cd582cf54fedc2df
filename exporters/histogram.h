#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace codex {

/// A Prometheus classic histogram as a plain value. Bounds are upper limits in ascending order; +Inf is
/// implied.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds.begin(), bounds.end()), counts_(bounds.size() + 1, 0) {}

  /// Ignores NaN and negative values: one of either would spoil the sum for ever.
  void observe(double value) {
    if (std::isnan(value) || value < 0) return;
    std::size_t i = 0;
    while (i < bounds_.size() && value > bounds_[i]) ++i;
    ++counts_[i];
    sum_ += value;
  }

  [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }  ///< not cumulative
  [[nodiscard]] double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

/// Bucket bounds in seconds, chosen per purpose: loopback probes answer in milliseconds, starts take seconds
/// to minutes, hangs are seen within seconds, recoveries take up to an hour.
inline constexpr double kProbeBounds[] = {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
inline constexpr double kStartupBounds[] = {.1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300};
inline constexpr double kDetectionBounds[] = {.25, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60};
inline constexpr double kRecoveryBounds[] = {1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600};

}  // namespace codex
