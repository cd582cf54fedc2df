#include "exporters/prometheus/metric_families.h"

#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace codex {

namespace {

prometheus::MetricType model_type(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
    case MetricType::kGauge:
    case MetricType::kInfo:
      return prometheus::MetricType::Gauge;
  }
  return prometheus::MetricType::Untyped;
}

std::vector<prometheus::MetricFamily> empty_families() {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(metric_catalogue().size());
  for (const MetricDefinition& definition : metric_catalogue()) {
    families.push_back(
        {std::string(definition.name), std::string(definition.help), model_type(definition.type), {}});
  }
  return families;
}

}  // namespace

MetricFamilies::MetricFamilies() : families_(empty_families()) {}

prometheus::ClientMetric& MetricFamilies::new_sample(Metric id,
                                                     std::initializer_list<std::string_view> label_values) {
  const auto index = static_cast<std::size_t>(id);
  const MetricDefinition& definition = metric_catalogue().at(index);
  if (definition.labels.size() != label_values.size()) {
    throw std::logic_error(std::string(definition.name) + ": wrong number of label values");
  }
  prometheus::ClientMetric& sample = families_.at(index).metric.emplace_back();
  auto name = definition.labels.begin();
  for (const std::string_view value : label_values) {
    sample.label.push_back({std::string(*name++), std::string(value)});
  }
  return sample;
}

void MetricFamilies::add(Metric id, std::initializer_list<std::string_view> label_values, double value) {
  prometheus::ClientMetric& sample = new_sample(id, label_values);
  if (metric_catalogue()[static_cast<std::size_t>(id)].type == MetricType::kCounter) {
    sample.counter.value = value;
  } else {
    sample.gauge.value = value;
  }
}

void MetricFamilies::add(Metric id, std::initializer_list<std::string_view> label_values,
                         const Histogram& histogram) {
  add(id, label_values, histogram.bounds(), histogram.counts(), histogram.sum());
}

void MetricFamilies::add(Metric id, std::initializer_list<std::string_view> label_values,
                         std::span<const double> bounds, std::span<const std::uint64_t> counts, double sum) {
  auto& histogram = new_sample(id, label_values).histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({cumulative, bound});
  }
  histogram.sample_count = cumulative;
  histogram.sample_sum = sum;
}

std::vector<prometheus::MetricFamily> MetricFamilies::take() {
  std::vector<prometheus::MetricFamily> filled;
  for (prometheus::MetricFamily& family : families_) {
    if (!family.metric.empty()) filled.push_back(std::move(family));
  }
  families_ = empty_families();
  return filled;
}

}  // namespace codex
