#include "agent/evidence/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace codex {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

const Json kReport = Json::parse(R"json({
  "backend": "api", "class": "db_wait", "why": "3 requests wait", "where": null, "since": "S", "captured_at": "C",
  "lasted_seconds": 3.21, "votes": {"db_wait": 5, "handler": 1}, "next": "report", "pid": 12, "generation": 4,
  "earlier": [{"moment": "suspected", "class": "handler", "lasted_seconds": 1.0, "where": "wait (app.js:3)"}],
  "js_stack": {"error": null, "complete": false, "v8_version": "11.3",
               "frames": [{"function": "", "file": "/app/app.js", "line": 3, "line_is": "current"},
                          {"function": "outer", "file": "/app/app.js", "line": 9, "line_is": "function"}]},
  "threads": [{"id": 12, "name": "node", "state": "S", "call": "epoll_pwait(13)", "kernel_function": "do_epoll_wait",
               "cpu_seconds": 1.5, "kernel_stack": ["do_epoll_wait+0x1"]}],
  "sockets": {"connections": 2, "not_accepted": 0, "waiting": {"client": 1, "database": 1, "upstream": 0},
              "shown": [{"role": "database", "local": "127.0.0.1:1", "remote": "127.0.0.1:5432",
                         "state": "established", "waits_seconds": 3.2}]},
  "database": {"error": null, "clients": [
      {"pid": 90, "ours": true, "state": "active", "seconds": 3.1, "waits_for": "Lock: transactionid",
       "blocked_by": [91], "application": "node", "user": "app", "query": "UPDATE t"},
      {"pid": 91, "ours": false, "state": "idle in transaction", "seconds": 60, "waits_for": "", "blocked_by": [],
       "application": "psql", "user": "bob", "query": "SELECT 1 FOR UPDATE"}]},
  "output": ["last words"]})json");

TEST(ReportText, WhatAPersonNeedsFirstComesFirst) {
  EXPECT_THAT(report_text(kReport),
              ::testing::StartsWith(R"text(api hangs: db_wait, for 3.2 s when this was seen at C

  why        3 requests wait
  since      S
  votes      db_wait 5, handler 1
  next       report
  process    pid 12, generation 4
  before     suspected handler after 1.0 s, in wait (app.js:3)

JavaScript, the innermost call first (V8 11.3; some may be remnants of earlier calls)
  at (anonymous) (/app/app.js:3)
  at outer (/app/app.js, from line 9)
)text"));
}

TEST(ReportText, TheDatabaseTellsWhoBlocksWhom) {
  const std::string text = report_text(kReport);
  EXPECT_THAT(
      text, HasSubstr("* pid 90       active for 3.1 s, waits for Lock: transactionid, blocked by pid [91]\n"
                      "      node (app): UPDATE t\n"
                      "  pid 91       idle in transaction for 60.0 s\n"));
  EXPECT_THAT(text, HasSubstr("without an answer: clients 1, database 1, upstream 0\n"));
  EXPECT_THAT(text, HasSubstr("Kernel stack of the main thread\n  do_epoll_wait+0x1\n"));
  EXPECT_THAT(text, HasSubstr("Last output\n  last words\n"));
}

TEST(ReportText, WhatCouldNotBeHadIsSaid) {
  Json report = kReport;
  report["js_stack"] = {{"error", "not_permitted"}};
  report["database"] = {{"error", "no answer within 150 ms"}};
  EXPECT_THAT(report_text(report), HasSubstr("JavaScript: no stack: not_permitted\n"));
  EXPECT_THAT(report_text(report), HasSubstr("Database: no answer within 150 ms\n"));
  report["js_stack"] = {{"error", nullptr}, {"frames", Json::array()}};
  EXPECT_THAT(report_text(report), HasSubstr("  none runs\n"));
}

/// Every member missing, and of every other type: text comes out, whatever goes in.
TEST(ReportText, ADamagedReportIsShownAsFarAsItGoes) {
  for (const auto& [name, value] : kReport.items()) {
    for (const Json& other : {Json(nullptr), Json(3), Json("text"), Json::array({1, "a", nullptr}),
                              Json{{"a", 1}}, Json::array({Json::array()})}) {
      Json report = kReport;
      report[name] = other;
      EXPECT_THAT(report_text(report), HasSubstr("hangs")) << name << other;
    }
    Json without = kReport;
    without.erase(name);
    EXPECT_THAT(report_text(without), HasSubstr("hangs")) << name;
  }
  EXPECT_THAT(report_text(Json("nonsense")), HasSubstr("hangs"));
}

}  // namespace
}  // namespace codex
