#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "exporters/prometheus/exposition.h"

namespace codex {

/// Writes prometheus-cpp families as text 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats) or
/// OpenMetrics 1.0 (github.com/prometheus/OpenMetrics, specification/OpenMetrics.md).
///
/// Families keep their order, series are sorted by their labels; of two series with the same labels only
/// the first is written, because one duplicate makes Prometheus refuse the whole page. Label values are
/// made valid UTF-8 of at most 128 bytes without control characters. Numbers are the shortest text that
/// reads back as the same double. Units and the info type come from the catalogue.
std::string serialize(std::vector<prometheus::MetricFamily> families, ExpositionFormat format);

/// A sample value or bucket bound: "1", "0.25", "+Inf", "-Inf", "NaN".
std::string format_number(double value);

}  // namespace codex
