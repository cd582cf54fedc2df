#include "exporters/prometheus/serializer.h"

#include <gmock/gmock.h>

#include <limits>

#include "exporters/prometheus/metric_families.h"
#include "tests/exporters/sample_snapshot.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using testing::run_command;

constexpr auto kText = ExpositionFormat::kText004;
constexpr auto kOpenMetrics = ExpositionFormat::kOpenMetrics100;

TEST(FormatNumber, IsTheShortestTextThatReadsBackEqual) {
  EXPECT_EQ(format_number(0), "0");
  EXPECT_EQ(format_number(-0.0), "0");
  EXPECT_EQ(format_number(1), "1");
  EXPECT_EQ(format_number(-1), "-1");
  EXPECT_EQ(format_number(100000), "100000");
  EXPECT_EQ(format_number(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(format_number(1755861234.125), "1755861234.125");
  EXPECT_EQ(format_number(9007199254740992.0), "9007199254740992");
  EXPECT_EQ(format_number(18446744073709551615.0), "18446744073709551616");
  EXPECT_EQ(format_number(1e100), "1e+100");
  EXPECT_EQ(format_number(5e-324), "5e-324");
  for (const double value : {1.7976931348623157e308, 1e22, 0.00025, 2.2250738585072014e-308}) {
    EXPECT_EQ(std::stod(format_number(value)), value);
  }
}

TEST(FormatNumber, SpellsTheSpecialValuesAsPrometheusDoes) {
  EXPECT_EQ(format_number(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(format_number(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(format_number(std::numeric_limits<double>::quiet_NaN()), "NaN");
}

TEST(Serializer, WritesNothingForNoFamilies) {
  EXPECT_EQ(serialize({}, kText), "");
  EXPECT_EQ(serialize({}, kOpenMetrics), "# EOF\n");
}

TEST(Serializer, OpenMetricsNamesACounterFamilyWithoutTotalAndGivesItsUnit) {
  MetricFamilies families;
  families.add(Metric::kProcessCpuSeconds, {}, 1.5);
  const auto filled = families.take();
  EXPECT_EQ(serialize(filled, kText),
            "# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.\n"
            "# TYPE process_cpu_seconds_total counter\n"
            "process_cpu_seconds_total 1.5\n");
  EXPECT_EQ(serialize(filled, kOpenMetrics),
            "# HELP process_cpu_seconds Total user and system CPU time spent in seconds.\n"
            "# TYPE process_cpu_seconds counter\n"
            "# UNIT process_cpu_seconds seconds\n"
            "process_cpu_seconds_total 1.5\n"
            "# EOF\n");
}

TEST(Serializer, AnInfoIsAGaugeInTextAndAnInfoInOpenMetrics) {
  MetricFamilies families;
  families.add(Metric::kBuildInfo, {"1", "2", "3"}, 1);
  const auto filled = families.take();
  const std::string sample = "codex_agent_build_info{version=\"1\",revision=\"2\",compiler=\"3\"} 1\n";
  EXPECT_THAT(serialize(filled, kText), HasSubstr("# TYPE codex_agent_build_info gauge\n" + sample));
  EXPECT_THAT(serialize(filled, kOpenMetrics), HasSubstr("# TYPE codex_agent_build info\n" + sample));
}

TEST(Serializer, HistogramBucketsAreCumulativeAndEndWithInfinity) {
  constexpr double kBounds[] = {0.5, 1};
  Histogram histogram(kBounds);
  for (const double value : {0.25, 0.75, 0.75, 8.0}) histogram.observe(value);
  MetricFamilies families;
  families.add(Metric::kBackendRecoveryDurationSeconds, {"b"}, histogram);
  const auto filled = families.take();
  const std::string name = "codex_agent_backend_recovery_duration_seconds";
  const auto expected = [&](const std::string& one) {
    return name + "_bucket{backend=\"b\",le=\"0.5\"} 1\n" + name + "_bucket{backend=\"b\",le=\"" + one +
           "\"} 3\n" + name + "_bucket{backend=\"b\",le=\"+Inf\"} 4\n" + name + "_sum{backend=\"b\"} 9.75\n" +
           name + "_count{backend=\"b\"} 4\n";
  };
  EXPECT_THAT(serialize(filled, kText), HasSubstr(expected("1")));
  EXPECT_THAT(serialize(filled, kOpenMetrics), HasSubstr(expected("1.0")));
}

prometheus::MetricFamily gauge(const std::string& help, const std::string& label) {
  prometheus::MetricFamily family{"g", help, prometheus::MetricType::Gauge, {}};
  family.metric.emplace_back().label.push_back({"l", label});
  return family;
}

TEST(Serializer, EscapesHelpSoThatItStaysOnItsLine) {
  const auto family = gauge("one\ntwo \\ \"three\"", "");
  EXPECT_THAT(serialize({family}, kText), HasSubstr("# HELP g one\\ntwo \\\\ \"three\"\n"));
  EXPECT_THAT(serialize({family}, kOpenMetrics), HasSubstr("# HELP g one\\ntwo \\\\ \\\"three\\\"\n"));
}

TEST(Serializer, EscapesLabelValues) {
  EXPECT_THAT(serialize({gauge("h", "a\\b\"c")}, kText), HasSubstr("g{l=\"a\\\\b\\\"c\"} 0\n"));
}

TEST(Serializer, ControlBytesInLabelsAreShownNotSent) {
  EXPECT_THAT(serialize({gauge("h", "a\nb\x1b[31m")}, kText), HasSubstr("g{l=\"a\\\\x0ab\\\\x1b[31m\"} 0\n"));
}

TEST(Serializer, InvalidUtf8IsReplaced) {
  EXPECT_THAT(serialize({gauge("h", "a\xff\xc3")}, kText),
              HasSubstr("g{l=\"a\xEF\xBF\xBD\xEF\xBF\xBD\"} 0\n"));
}

TEST(Serializer, LabelsHave128BytesAtMostAndEndOnACharacter) {
  for (const std::size_t length : {127U, 128U, 129U, 30000U}) {
    const std::string text = serialize({gauge("h", std::string(length, 'x'))}, kText);
    EXPECT_THAT(text, HasSubstr("\"" + std::string(std::min<std::size_t>(length, 128), 'x') + "\""))
        << length;
  }
  EXPECT_THAT(serialize({gauge("h", std::string(127, 'x') + "\xC3\xA9")}, kText),
              HasSubstr("\"" + std::string(127, 'x') + "\""));
}

TEST(Serializer, SortsSeriesAndWritesEqualOnesOnce) {
  auto family = gauge("h", "b");
  family.metric.back().gauge.value = 1;
  for (const auto& [label, value] : std::vector<std::pair<std::string, double>>{{"a", 2}, {"b", 3}}) {
    auto& metric = family.metric.emplace_back();
    metric.label.push_back({"l", label});
    metric.gauge.value = value;
  }
  EXPECT_THAT(serialize({family}, kText), ::testing::EndsWith("gauge\ng{l=\"a\"} 2\ng{l=\"b\"} 1\n"));
}

TEST(Serializer, HostileLabelsPassPromtoolAndTheOpenMetricsParser) {
  MetricFamilies families;
  int i = 0;
  for (const std::string hostile : {"\xff\xfe", "\n# EOF\n", "a\"} 1\nevil 1\n", "\\", "\xE2\x80\xAE rtl", "",
                                    "\x7f\x01", "\xED\xA0\x80"}) {
    families.add(Metric::kProbeInfo, {"b" + std::to_string(i++), hostile, hostile, hostile}, 1);
  }
  families.add(Metric::kProbeInfo, {"long", std::string(30000, 'x'), "k", std::string(30000, '\n')}, 1);
  const auto filled = families.take();
  const auto lint = run_command("promtool check metrics", serialize(filled, kText));
  EXPECT_EQ(lint.status, 0);
  EXPECT_EQ(lint.output, "");
  const auto parsed = run_command(
      "/usr/bin/python3 -c 'import sys; from prometheus_client.openmetrics.parser import "
      "text_string_to_metric_families as p; print(sum(len(f.samples) for f in p(sys.stdin.read())))'",
      serialize(filled, kOpenMetrics));
  EXPECT_EQ(parsed.output, "9\n");
}

TEST(MetricFamilies, AWrongNumberOfLabelValuesIsABug) {
  MetricFamilies families;
  EXPECT_THROW(families.add(Metric::kBackendUp, {}, 1), std::logic_error);
  EXPECT_THROW(families.add(Metric::kBackendUp, {"a", "b"}, 1), std::logic_error);
}

TEST(MetricFamilies, LeavesOutFamiliesWithoutASample) {
  MetricFamilies families;
  families.add(Metric::kBackendUp, {"a"}, 1);
  EXPECT_EQ(families.take().size(), 1U);
  EXPECT_TRUE(families.take().empty());
}

}  // namespace
}  // namespace codex
