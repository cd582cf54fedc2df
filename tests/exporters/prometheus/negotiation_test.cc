#include <gtest/gtest.h>

#include "exporters/prometheus/exposition.h"

namespace codex {
namespace {

constexpr auto kText = ExpositionFormat::kText004;
constexpr auto kOpenMetrics = ExpositionFormat::kOpenMetrics100;

TEST(Negotiation, AcceptChoosesTheFormat) {
  const std::pair<const char*, ExpositionFormat> table[] = {
      {"", kText},
      {"*/*", kText},
      {"text/*", kText},
      {"text/plain", kText},
      {"text/html", kText},
      {"application/json", kText},
      {"text/plain;version=0.0.4", kText},
      {"application/openmetrics-text", kOpenMetrics},
      {"Application/OpenMetrics-Text", kOpenMetrics},
      {"application/openmetrics-text;version=1.0.0", kOpenMetrics},
      {"application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", kOpenMetrics},
      {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8", kOpenMetrics},
      {"application/openmetrics-text;version=0.0.1", kText},
      {"application/openmetrics-text;version=2.0.0", kText},
      {"application/openmetrics-text;q=0", kText},
      {"application/openmetrics-text;q=0.0,*/*;q=0.1", kText},
      {"application/openmetrics-text;q=0.5,text/plain;q=0.6", kText},
      {"application/openmetrics-text;q=0.6,text/plain;q=0.5", kOpenMetrics},
      {"text/plain,application/openmetrics-text", kText},
      {"application/openmetrics-text,text/plain", kOpenMetrics},
      {"*/*,application/openmetrics-text", kOpenMetrics},
      {"application/openmetrics-text,*/*", kOpenMetrics},
      {"application/openmetrics-text;q=0.1,*/*;q=0.9", kText},
      {"application/openmetrics-text;q=high", kText},
      {"application/openmetrics-text;q=2", kText},
      {"application/openmetrics-text;q=-1", kText},
      {"application/openmetrics-text;q=nan", kText},
      {",;,;=,q=", kText},
      // What Prometheus 2.42 and 2.50 send.
      {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
       kOpenMetrics},
      {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
       "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
       kOpenMetrics},
  };
  for (const auto& [accept, format] : table) EXPECT_EQ(negotiate_format(accept), format) << accept;
}

TEST(Negotiation, GzipNeedsAWeightAboveZero) {
  const std::pair<const char*, bool> table[] = {
      {"", false},
      {"gzip", true},
      {"GZIP", true},
      {"x-gzip", true},
      {"gzip;q=0", false},
      {"gzip; q=0.000", false},
      {"gzip;q=0.001", true},
      {"br, gzip", true},
      {"deflate", false},
      {"identity", false},
      {"*", true},
      {"*;q=0", false},
      {"gzip;q=0, *", false},
      {"br;q=1, *;q=0.1", true},
      {"gzipx", false},
      {"gzip;q=bad", false},
  };
  for (const auto& [header, accepted] : table) EXPECT_EQ(accepts_gzip(header), accepted) << header;
}

TEST(Negotiation, AnEndlessHeaderIsNoTrouble) {
  EXPECT_EQ(negotiate_format(std::string(30000, ',')), kText);
  EXPECT_EQ(negotiate_format(std::string(30000, ';')), kText);
  EXPECT_FALSE(accepts_gzip(std::string(30000, '"')));
}

}  // namespace
}  // namespace codex
