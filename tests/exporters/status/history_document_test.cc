#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "exporters/status/status_document.h"
#include "tests/exporters/http/ask_routes.h"
#include "tests/exporters/sample_snapshot.h"

namespace codex {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using testing::sample_recent;
using testing::sample_snapshot;

TEST(HistoryDocument, TellsTheLastHourOfEveryBackend) {
  const BackendRecent recent = sample_recent();
  const Json document = Json::parse(render_history(sample_snapshot(), {recent}));
  EXPECT_EQ(document["schema"], 1);
  EXPECT_EQ(document["span_seconds"], 3600);
  EXPECT_EQ(document["step_seconds"], 10);
  ASSERT_EQ(document["backends"].size(), 1U);
  const Json& backend = document["backends"][0];
  EXPECT_EQ(backend["name"], "codex");
  EXPECT_EQ(backend["states"][3], (Json{{"state", "hung"},
                                        {"reason", "hang: spin"},
                                        {"begin_seconds_ago", 1800},
                                        {"end_seconds_ago", 1794}}));
  ASSERT_EQ(backend["probes"].size(), 3U);
  for (const Json* series : {&backend["used_memory_bytes"], &backend["cpu_ratio"],
                             &backend["probes"][0]["latency_seconds"], &backend["probes"][0]["failed"]})
    EXPECT_EQ(series->size(), kRecentSlots);
  EXPECT_TRUE(backend["cpu_ratio"][0].is_null()) << "unknown is not zero";
  EXPECT_NEAR(backend["cpu_ratio"][359].get<double>(), recent.cpu_ratio[359], 1e-4);
  EXPECT_NEAR(backend["probes"][1]["latency_seconds"][359].get<double>(), recent.probes[1].seconds[359],
              1e-6);
  EXPECT_TRUE(backend["used_memory_bytes"][359].is_number_integer());
  EXPECT_EQ(backend["probes"][0]["failed"][250], 1);
  EXPECT_EQ(backend["probes"][0]["failed"][0], 0);
  EXPECT_EQ(backend["events"][1], (Json{{"at", "2025-08-22T11:13:34.125Z"},
                                        {"from", "backoff"},
                                        {"to", "failed"},
                                        {"reason", "start_limit"},
                                        {"detail", "It was restarted 5 times without success"}}));
}

TEST(HistoryDocument, InvalidUtf8DoesNotStopIt) {
  BackendRecent recent = sample_recent();
  recent.events[0].detail = recent.states[0].reason = "\xff\xfe ok";
  const Json document = Json::parse(render_history(sample_snapshot(), {recent}));
  EXPECT_THAT(document["backends"][0]["events"][0]["detail"].get<std::string>(), HasSubstr("ok"));
}

TEST(HistoryRoute, ServesTheDocumentAsJson) {
  HttpRoutes routes;
  add_history_route(routes, testing::source_of(sample_snapshot()),
                    [] { return std::vector<BackendRecent>{sample_recent()}; });
  const std::string response = testing::get(routes, "/api/v1/history");
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(response, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(Json::parse(response.substr(response.find("\r\n\r\n")))["schema"], 1);
}

}  // namespace
}  // namespace codex
