#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "exporters/histogram.h"
#include "exporters/prometheus/catalogue.h"

namespace codex {

/// A count as Prometheus keeps it, exact up to 2^53.
inline double as_double(std::uint64_t count) {
  return static_cast<double>(count);
}

/// Collects samples into prometheus-cpp's data model. Names, help, types and label names come from the
/// catalogue; a sample only gives label values, so a typing mistake cannot make a new series.
class MetricFamilies {
 public:
  MetricFamilies();

  /// Adds one sample of a gauge, counter or info. Throws std::logic_error if the number of label values
  /// is not the catalogue's.
  void add(Metric id, std::initializer_list<std::string_view> label_values, double value);

  /// Adds one classic histogram; the buckets become cumulative and get +Inf.
  void add(Metric id, std::initializer_list<std::string_view> label_values, const Histogram& histogram);

  /// Adds one classic histogram from plain counts; `counts` has one more than `bounds`, for +Inf.
  void add(Metric id, std::initializer_list<std::string_view> label_values, std::span<const double> bounds,
           std::span<const std::uint64_t> counts, double sum);

  /// The families that got a sample, in catalogue order. Leaves this object empty.
  std::vector<prometheus::MetricFamily> take();

 private:
  prometheus::ClientMetric& new_sample(Metric id, std::initializer_list<std::string_view> label_values);
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace codex
