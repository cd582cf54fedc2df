#include "exporters/status/status_document.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/exporters/http/ask_routes.h"
#include "tests/exporters/sample_snapshot.h"

namespace codex {
namespace {

using Json = nlohmann::ordered_json;
using testing::get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::sample_snapshot;
using testing::source_of;

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

TEST(StatusDocument, HasTheAgreedKeys) {
  const Json document = Json::parse(render_status(sample_snapshot()));
  using Keys = std::vector<std::string>;
  EXPECT_EQ(keys_of(document), (Keys{"schema", "agent", "backends"}));
  EXPECT_EQ(keys_of(document["agent"]),
            (Keys{"version", "pid", "uptime_seconds", "metrics_url", "log_error"}));
  const Json& backend = document["backends"][0];
  EXPECT_EQ(keys_of(backend), (Keys{"name",
                                    "state",
                                    "health",
                                    "health_reason",
                                    "ready",
                                    "desired",
                                    "problem",
                                    "pid",
                                    "generation",
                                    "started_at",
                                    "uptime_seconds",
                                    "starts",
                                    "start_failures",
                                    "exits",
                                    "exit_causes",
                                    "restarts",
                                    "backoff_seconds",
                                    "next_attempt_at",
                                    "awaiting",
                                    "restart_budget",
                                    "last_exit",
                                    "last_end",
                                    "last_transition",
                                    "port",
                                    "probes",
                                    "startup",
                                    "resources",
                                    "memory_limit_bytes",
                                    "hang",
                                    "last_hang",
                                    "workers",
                                    "output",
                                    "log_file"}));
  EXPECT_EQ(keys_of(backend["restarts"]), (Keys{"total", "by_reason"}));
  EXPECT_EQ(keys_of(backend["last_exit"]), (Keys{"outcome", "code", "signal", "cause", "why", "at"}));
  EXPECT_EQ(keys_of(backend["last_transition"]), (Keys{"at", "from", "to", "reason", "detail"}));
  EXPECT_EQ(keys_of(backend["port"]),
            (Keys{"number", "listening", "owner_pid", "owner_command", "ours", "accept_queue"}));
  EXPECT_EQ(keys_of(backend["startup"]), (Keys{"duration_seconds", "phases", "waiting_for"}));
  EXPECT_EQ(
      keys_of(backend["probes"][1]),
      (Keys{"name", "kind", "role", "target", "period_seconds", "timeout_seconds", "outcome", "reason",
            "elapsed_seconds", "consecutive_failures", "failure_threshold", "detail", "attempts",
            "last_attempt_at", "age_seconds", "last_success_at", "phases", "http_status", "body_bytes"}));
}

TEST(StatusDocument, ShowsTheValuesOfTheSnapshot) {
  const Json document = Json::parse(render_status(sample_snapshot()));
  EXPECT_EQ(document["schema"], 1);
  EXPECT_EQ(document["agent"]["pid"], 4000);
  const Json& backend = document["backends"][0];
  EXPECT_EQ(backend["name"], "codex");
  EXPECT_EQ(backend["desired"], "running");
  EXPECT_EQ(backend["pid"], 4242);
  EXPECT_EQ(backend["started_at"], "2025-08-22T11:13:54.125Z");
  EXPECT_EQ(backend["restarts"]["total"], 55);
  EXPECT_EQ(backend["restarts"]["by_reason"]["hang"], 2);
  EXPECT_EQ(backend["last_end"], (Json{{"at", "2025-08-22T11:13:49.125Z"}, {"told", "Server has ended."}}));
  EXPECT_EQ(backend["last_exit"], (Json{{"outcome", "signal"},
                                        {"code", 137},
                                        {"signal", "SIGKILL"},
                                        {"cause", "oom_kill"},
                                        {"why", "the heap was full (server.js:20)"},
                                        {"at", "2025-08-22T11:13:49.125Z"}}));
  EXPECT_EQ(backend["exit_causes"]["oom_kill"], 1);
  EXPECT_EQ(backend["restart_budget"], (Json{{"remaining", 4}, {"limit", 5}, {"interval_seconds", 60.0}}));
  EXPECT_EQ(backend["port"]["owner_pid"], 4251);
  EXPECT_EQ(backend["probes"][1]["http_status"], 200);
  EXPECT_EQ(backend["probes"][1]["elapsed_seconds"], 0.0034);
  EXPECT_EQ(keys_of(backend["startup"]["phases"]),
            (std::vector<std::string>{"spawn", "listen", "database", "respond"}));
  EXPECT_EQ(backend["resources"]["resident_memory_bytes"], 117440512);
  EXPECT_EQ(backend["resources"]["used_memory_bytes"], 100663296);
  EXPECT_EQ(backend["resources"]["used_memory_source"], "proportional");
  EXPECT_EQ(backend["resources"]["virtual_memory_bytes"], 4294967296);
  EXPECT_EQ(backend["resources"]["cpu_seconds_total"], 14.75);
  EXPECT_EQ(backend["hang"], nullptr);
}

TEST(StatusDocument, WhatIsUnknownIsNull) {
  Snapshot snapshot;
  snapshot.backends.emplace_back().name = "idle";
  const Json document = Json::parse(render_status(snapshot));
  const Json& backend = document["backends"][0];
  for (const char* key :
       {"pid", "started_at", "uptime_seconds", "next_attempt_at", "last_exit", "last_end", "awaiting",
        "memory_limit_bytes", "last_transition", "port", "resources", "hang", "last_hang"}) {
    EXPECT_TRUE(backend[key].is_null()) << key;
  }
  EXPECT_EQ(backend["desired"], "stopped");
  EXPECT_TRUE(backend["probes"].is_array());
  EXPECT_TRUE(backend["startup"]["phases"].is_object());
}

TEST(StatusDocument, NoBackendIsAnEmptyArray) {
  EXPECT_EQ(Json::parse(render_status(Snapshot{}))["backends"], Json::array());
}

TEST(StatusDocument, ShowsAHang) {
  Snapshot snapshot = sample_snapshot();
  HangSnapshot hang;
  hang.hang_class = "spin";
  hang.detail = "main thread runs for 12 s";
  hang.where = "slowQuery (server.js:12)";
  hang.evidence = "the-id";
  hang.action = "restart";
  hang.due = WallTime{} + std::chrono::seconds(5);
  hang.lasted_seconds = 4.2;
  hang.due_in_seconds = 0.8;
  snapshot.backends[0].hang = hang;
  EXPECT_EQ(Json::parse(render_status(snapshot))["backends"][0]["hang"],
            (Json{{"class", "spin"},
                  {"since", "1970-01-01T00:00:00.000Z"},
                  {"lasted_seconds", 4.2},
                  {"detail", "main thread runs for 12 s"},
                  {"where", "slowQuery (server.js:12)"},
                  {"action", "restart"},
                  {"due_at", "1970-01-01T00:00:05.000Z"},
                  {"due_in_seconds", 0.8},
                  {"evidence", "the-id"}}));
}

TEST(StatusDocument, TellsOfTheLastHangWhenItIsOver) {
  const Json hang = Json::parse(render_status(sample_snapshot()))["backends"][0]["last_hang"];
  EXPECT_EQ(hang["class"], "spin");
  EXPECT_EQ(hang["lasted_seconds"], 6.5);
  EXPECT_EQ(hang["evidence"], "20250822T111254.125Z-codex");
  EXPECT_TRUE(hang["action"].is_null()) << "nothing comes any more";
}

TEST(StatusDocument, InvalidUtf8AndNanDoNotStopIt) {
  Snapshot snapshot = sample_snapshot();
  BackendSnapshot& backend = snapshot.backends[0];
  backend.name = backend.problem = backend.port->owner_command = backend.probes[0].detail =
      "\xff\xfe \xed\xa0\x80 ok";
  backend.uptime_seconds = std::numeric_limits<double>::quiet_NaN();
  const Json document = Json::parse(render_status(snapshot));
  EXPECT_THAT(document["backends"][0]["problem"].get<std::string>(), HasSubstr("ok"));
  EXPECT_TRUE(document["backends"][0]["uptime_seconds"].is_null());
}

TEST(StatusRoutes, ServeTheDocumentAsJson) {
  HttpRoutes routes;
  add_status_routes(routes, source_of(sample_snapshot()));
  const std::string response = get(routes, "/api/v1/status");
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(response, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(Json::parse(response.substr(response.find("\r\n\r\n")))["schema"], 1);
  EXPECT_THAT(get(routes, "/-/healthy"), HasSubstr("HTTP/1.1 200 OK\r\n"));
}

TEST(StatusRoutes, ReadyMeansThatEveryWantedBackendIsReady) {
  Snapshot snapshot = sample_snapshot();
  snapshot.backends.emplace_back().name = "unwanted";
  const auto readiness = [&] {
    HttpRoutes routes;
    add_status_routes(routes, source_of(snapshot));
    return get(routes, "/-/ready");
  };
  EXPECT_THAT(readiness(), HasSubstr("HTTP/1.1 200 OK\r\n"));
  snapshot.backends[0].ready = false;
  snapshot.backends[0].state = "starting";
  EXPECT_THAT(readiness(), HasSubstr("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(readiness(), HasSubstr("codex: starting\n"));
  EXPECT_THAT(readiness(), Not(HasSubstr("unwanted")));
}

}  // namespace
}  // namespace codex
