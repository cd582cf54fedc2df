#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "exporters/prometheus/catalogue.h"

namespace codex {
namespace {

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kCounter:
      return "counter";
    case MetricType::kHistogram:
      return "histogram";
    case MetricType::kInfo:
      return "info";
  }
  return "";
}

std::string row_of(const MetricDefinition& metric) {
  std::string labels;
  for (const auto label : metric.labels) labels += (labels.empty() ? "`" : ", `") + std::string(label) + "`";
  return "| `" + std::string(metric.name) + "` | " + std::string(type_name(metric.type)) + " | " + labels +
         " | " + std::string(metric.help) + " |";
}

TEST(MetricsDocument, ListsEveryMetricAsTheCodeDefinesItAndNoOther) {
  std::ifstream file(CODEX_SOURCE_DIR "/exporters/docs/metrics.md");
  std::string line;
  std::size_t rows = 0;
  std::stringstream document;
  while (std::getline(file, line)) {
    document << line << '\n';
    if (line.starts_with("| `codex_agent_") || line.starts_with("| `process_")) ++rows;
  }
  for (const auto& metric : metric_catalogue()) {
    EXPECT_NE(document.str().find(row_of(metric)), std::string::npos)
        << "missing in exporters/docs/metrics.md: " << row_of(metric);
  }
  EXPECT_EQ(rows, metric_catalogue().size());
}

}  // namespace
}  // namespace codex
