#include "exporters/prometheus/exposition.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "exporters/prometheus/catalogue.h"
#include "tests/exporters/sample_snapshot.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using testing::lines_of;
using ::testing::Not;
using testing::run_command;
using testing::sample_extras;
using testing::sample_snapshot;
using testing::without_process_metrics;

constexpr auto kText = ExpositionFormat::kText004;
constexpr auto kOpenMetrics = ExpositionFormat::kOpenMetrics100;

std::string render(const Snapshot& snapshot, ExpositionFormat format) {
  return render_exposition(snapshot, sample_extras(), format);
}

/// Compares line by line. With CODEX_UPDATE_GOLDEN set, writes the file anew first: review the difference.
void expect_golden(const std::string& text, const std::string& name) {
  const std::string path = CODEX_SOURCE_DIR "/tests/exporters/golden/" + name;
  if (std::getenv("CODEX_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::ostringstream golden;
  golden << file.rdbuf();
  const auto expected = lines_of(golden.str());
  const auto actual = lines_of(text);
  for (std::size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) {
    ASSERT_EQ(actual[i], expected[i]) << path << ":" << i + 1;
  }
  EXPECT_EQ(actual.size(), expected.size());
}

TEST(Exposition, TextIsTheGoldenPage) {
  expect_golden(without_process_metrics(render(sample_snapshot(), kText)), "metrics.prom");
}

TEST(Exposition, OpenMetricsIsTheGoldenPage) {
  expect_golden(without_process_metrics(render(sample_snapshot(), kOpenMetrics)), "metrics.om");
}

std::string family_name(const MetricDefinition& metric, ExpositionFormat format) {
  std::string name(metric.name);
  if (format == kText) return name;
  if (metric.type == MetricType::kCounter) name.resize(name.size() - std::string("_total").size());
  if (metric.type == MetricType::kInfo) name.resize(name.size() - std::string("_info").size());
  return name;
}

std::string type_word(const MetricDefinition& metric, ExpositionFormat format) {
  switch (metric.type) {
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kCounter:
      return "counter";
    case MetricType::kHistogram:
      return "histogram";
    case MetricType::kInfo:
      return format == kText ? "gauge" : "info";
  }
  return "";
}

/// The header lines the catalogue asks for, in its order.
std::vector<std::string> expected_headers(ExpositionFormat format) {
  std::vector<std::string> headers;
  for (const MetricDefinition& metric : metric_catalogue()) {
    const std::string name = family_name(metric, format);
    headers.push_back("# HELP " + name + " " + std::string(metric.help));
    headers.push_back("# TYPE " + name + " " + type_word(metric, format));
    if (format == kOpenMetrics && !metric.unit.empty())
      headers.push_back("# UNIT " + name + " " + std::string(metric.unit));
  }
  if (format == kOpenMetrics) headers.emplace_back("# EOF");
  return headers;
}

TEST(Exposition, AFilledSnapshotShowsTheWholeCatalogueInOrder) {
  for (const auto format : {kText, kOpenMetrics}) {
    std::vector<std::string> headers;
    for (const std::string& line : lines_of(render(sample_snapshot(), format))) {
      if (line.starts_with("#")) headers.push_back(line);
    }
    EXPECT_EQ(headers, expected_headers(format));
  }
}

/// Label names of a sample line, `le` left out.
std::vector<std::string> label_names(const std::string& line) {
  std::vector<std::string> names;
  for (std::size_t at = line.find('{'); at != std::string::npos && at < line.size() && line[at] != '}';) {
    const auto equals = line.find("=\"", at);
    const std::string name = line.substr(at + 1, equals - at - 1);
    if (name != "le") names.push_back(name);
    at = line.find('"', equals + 2) + 1;
  }
  return names;
}

TEST(Exposition, EverySampleHasExactlyTheLabelsOfTheCatalogue) {
  std::size_t samples = 0;
  for (const std::string& line : lines_of(render(sample_snapshot(), kText))) {
    if (line.starts_with("#")) continue;
    std::string name = line.substr(0, line.find_first_of("{ "));
    for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
      if (find_metric(name) == nullptr && name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    }
    const MetricDefinition* metric = find_metric(name);
    ASSERT_NE(metric, nullptr) << line;
    EXPECT_EQ(label_names(line), std::vector<std::string>(metric->labels.begin(), metric->labels.end()))
        << line;
    ++samples;
  }
  EXPECT_GT(samples, 250U);
}

TEST(Exposition, PromtoolHasNothingToSay) {
  const auto result = run_command("promtool check metrics", render(sample_snapshot(), kText));
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "");
}

TEST(Exposition, PromtoolHasNothingToSayBeforeTheFirstStartEither) {
  Snapshot snapshot;
  snapshot.backends.emplace_back().name = "idle";
  snapshot.backends.back().state = "stopped";
  const auto result = run_command("promtool check metrics", render(snapshot, kText));
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "");
}

TEST(Exposition, TheReferenceParserReadsTheSameSamplesFromOpenMetrics) {
  const std::string text = render(sample_snapshot(), kOpenMetrics);
  const auto result = run_command(
      "/usr/bin/python3 -c 'import sys; from prometheus_client.openmetrics.parser import "
      "text_string_to_metric_families as p; f=list(p(sys.stdin.read())); "
      "print(len(f), sum(len(x.samples) for x in f))'",
      text);
  std::size_t samples = 0;
  for (const std::string& line : lines_of(text)) samples += !line.starts_with("#");
  EXPECT_EQ(result.output, std::to_string(metric_catalogue().size()) + " " + std::to_string(samples) + "\n");
}

TEST(Exposition, TwoRendersOfOneSnapshotAreIdentical) {
  const Snapshot snapshot = sample_snapshot();
  for (const auto format : {kText, kOpenMetrics}) {
    EXPECT_EQ(without_process_metrics(render(snapshot, format)),
              without_process_metrics(render(snapshot, format)));
  }
}

std::set<std::string> series_of(const Snapshot& snapshot) {
  std::set<std::string> series;
  for (const std::string& line : lines_of(render(snapshot, kText))) {
    if (!line.starts_with("#")) series.insert(line.substr(0, line.rfind(' ')));
  }
  return series;
}

TEST(Exposition, ARestartOfTheBackendChangesNoSeries) {
  const Snapshot before = sample_snapshot();
  Snapshot after = sample_snapshot();
  BackendSnapshot& backend = after.backends.front();
  backend.pid = 777;
  backend.generation = 3;
  ++backend.starts;
  ++backend.restarts["hang"];
  backend.started_at = *backend.started_at + std::chrono::hours(1);
  backend.last_exit = LastExit{"exit_nonzero", 1, std::nullopt, *backend.started_at, "crash", ""};
  backend.port->owner_command = "another";
  backend.probes[1].outcome = "failure";
  backend.probes[1].reason = "timeout";
  backend.probes[1].detail = "GET /health: no answer in 5 s from pid 777";
  EXPECT_EQ(series_of(before), series_of(after));
}

TEST(Exposition, SeriesDoNotGrowWithTimeOrTrouble) {
  Snapshot snapshot = sample_snapshot();
  const auto before = series_of(snapshot).size();
  snapshot.backends.front().problem = "Port 5000 is held by pid 4711";
  snapshot.backends.front().state = "failed";
  snapshot.backends.front().last_transition->reason = "port_taken";
  EXPECT_EQ(series_of(snapshot).size(), before);
}

TEST(Exposition, ExactlyOneStateIsSetAndHungFollowsIt) {
  for (const std::string_view state : kStates) {
    Snapshot snapshot = sample_snapshot();
    snapshot.backends.front().state = state;
    const std::string text = render(snapshot, kText);
    for (const std::string_view other : kStates) {
      EXPECT_THAT(text, HasSubstr("codex_agent_backend_state{backend=\"codex\",state=\"" +
                                  std::string(other) + "\"} " + (other == state ? "1\n" : "0\n")));
    }
    EXPECT_THAT(text, HasSubstr(std::string("codex_agent_backend_hung{backend=\"codex\"} ") +
                                (state == "hung" ? "1\n" : "0\n")));
  }
}

TEST(Exposition, WhatIsUnknownIsAbsentNotZero) {
  Snapshot snapshot = sample_snapshot();
  BackendSnapshot& backend = snapshot.backends.front();
  backend.last_exit.reset();
  backend.pid.reset();
  backend.started_at.reset();
  backend.port.reset();
  backend.totals.read_bytes.reset();
  backend.totals.written_bytes.reset();
  backend.totals.proportional_bytes.reset();
  backend.output.last_output.reset();
  for (ProbeSnapshot& probe : backend.probes) {
    probe.outcome = "unknown";
    probe.elapsed_seconds.reset();
    probe.last_success.reset();
    probe.http_status.reset();
  }
  const std::string text = render(snapshot, kText);
  for (const char* name :
       {"last_exit_code", "start_time_seconds", "accept_queue_connections", "read_bytes_total",
        "written_bytes_total", "proportional_memory_bytes", "last_output_timestamp_seconds"}) {
    EXPECT_THAT(text, Not(HasSubstr(std::string("codex_agent_backend_") + name)));
  }
  for (const char* name :
       {"success", "last_duration_seconds", "last_success_timestamp_seconds", "http_status_code"}) {
    EXPECT_THAT(text, Not(HasSubstr(std::string("codex_agent_probe_") + name)));
  }
  EXPECT_THAT(text, HasSubstr("codex_agent_backend_up{backend=\"codex\"} 0\n"));
}

TEST(Exposition, CountersOfClosedSetsAreThereBeforeTheFirstEvent) {
  Snapshot snapshot;
  snapshot.backends.emplace_back().name = "b";
  const std::string text = render(snapshot, kText);
  EXPECT_THAT(text, HasSubstr("codex_agent_backend_restarts_total{backend=\"b\",reason=\"hang\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("codex_agent_backend_state_entries_total{backend=\"b\",state=\"hung\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("codex_agent_http_rejected_connections_total{reason=\"limit\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("codex_agent_log_messages_total{level=\"error\"} 0\n"));
}

TEST(Exposition, SeveralBackendsShareTheirFamilies) {
  Snapshot snapshot = sample_snapshot();
  snapshot.backends.push_back(snapshot.backends.front());
  snapshot.backends.back().name = "another";
  const std::string text = render(snapshot, kText);
  EXPECT_THAT(
      text,
      HasSubstr(
          "codex_agent_backend_up{backend=\"another\"} 1\ncodex_agent_backend_up{backend=\"codex\"} 1\n"));
  EXPECT_EQ(run_command("promtool check metrics", text).output, "");
}

TEST(Exposition, ShowsTheProcessThatRendersIt) {
  const std::string text = render(Snapshot{}, kText);
  std::map<std::string, double> values;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("process_"))
      values[line.substr(0, line.find(' '))] = std::stod(line.substr(line.find(' ')));
  }
  EXPECT_EQ(values.size(), 8U);
  EXPECT_GE(values["process_threads"], 1);
  EXPECT_GE(values["process_open_fds"], 3);
  EXPECT_GT(values["process_max_fds"], values["process_open_fds"]);
  EXPECT_GT(values["process_resident_memory_bytes"], 1e6);
  EXPECT_GT(values["process_virtual_memory_bytes"], values["process_resident_memory_bytes"]);
  const double now = to_unix_seconds(std::chrono::system_clock::now());
  EXPECT_LT(values["process_start_time_seconds"], now + 2);
  EXPECT_GT(values["process_start_time_seconds"], now - 3600);
}

}  // namespace
}  // namespace codex
