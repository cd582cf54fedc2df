#include "exporters/prometheus/catalogue.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace codex {
namespace {

TEST(Catalogue, IndexesAreThePositions) {
  for (std::size_t i = 0; i < metric_catalogue().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(metric_catalogue()[i].id), i) << metric_catalogue()[i].name;
  }
  EXPECT_EQ(metric_catalogue().back().id, Metric::kProcessThreads);
}

TEST(Catalogue, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const MetricDefinition& metric : metric_catalogue()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_EQ(find_metric(metric.name), &metric);
  }
  EXPECT_EQ(find_metric("codex_agent_no_such_metric"), nullptr);
  EXPECT_EQ(find_metric(""), nullptr);
}

TEST(Catalogue, CountersAndOnlyCountersEndInTotal) {
  for (const MetricDefinition& metric : metric_catalogue()) {
    EXPECT_EQ(metric.type == MetricType::kCounter, metric.name.ends_with("_total")) << metric.name;
  }
}

TEST(Catalogue, InfosAndOnlyInfosEndInInfo) {
  for (const MetricDefinition& metric : metric_catalogue()) {
    EXPECT_EQ(metric.type == MetricType::kInfo, metric.name.ends_with("_info")) << metric.name;
  }
}

TEST(Catalogue, TheUnitEndsTheName) {
  for (const MetricDefinition& metric : metric_catalogue()) {
    std::string name(metric.name);
    if (metric.type == MetricType::kCounter) name.resize(name.size() - std::string("_total").size());
    for (const std::string unit : {"seconds", "bytes", "ratio"}) {
      EXPECT_EQ(metric.unit == unit, name.ends_with("_" + unit)) << name;
    }
  }
}

TEST(Catalogue, EverySeriesOfABackendOrProbeSaysOfWhichBackend) {
  for (const MetricDefinition& metric : metric_catalogue()) {
    const bool of_backend =
        metric.name.starts_with("codex_agent_backend_") || metric.name.starts_with("codex_agent_probe_");
    EXPECT_EQ(of_backend, !metric.labels.empty() && metric.labels.front() == "backend") << metric.name;
  }
}

TEST(Catalogue, HelpIsOneSentenceOnOneLine) {
  for (const MetricDefinition& metric : metric_catalogue()) {
    EXPECT_TRUE(metric.help.ends_with(".")) << metric.name;
    EXPECT_EQ(metric.help.find_first_of("\n\\\""), std::string_view::npos) << metric.name;
  }
}

TEST(Catalogue, NoLabelCouldCarryAPidOrAMessage) {
  const std::set<std::string_view> allowed = {
      "backend",  "state",    "reason", "outcome", "signal",  "phase", "probe",     "kind",
      "target",   "mode",     "stream", "version", "handler", "code",  "collector", "source",
      "revision", "compiler", "loop",   "level",   "result",  "cause", "class"};
  for (const MetricDefinition& metric : metric_catalogue()) {
    for (const std::string_view label : metric.labels)
      EXPECT_TRUE(allowed.contains(label)) << metric.name << label;
  }
}

}  // namespace
}  // namespace codex
