#include "agent/cli/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/cli/exit_code.h"

namespace codex {
namespace {

constexpr const char* kHealthy = R"({"schema":1,"agent":{"pid":4200},"backends":[{
  "name":"codex","state":"running","health":"healthy","health_reason":"","desired":"running","pid":4242,
  "uptime_seconds":7990.2,"restarts":{"total":1,"by_reason":{"crash":0,"hang":1}},"last_exit":null,
  "port":{"number":5000,"listening":true,"owner_pid":4251,"owner_command":"node","ours":true,"accept_queue":0},
  "probes":[
    {"name":"port","kind":"port","outcome":"success","reason":"","elapsed_seconds":0.0001,"detail":"node listens"},
    {"name":"http","kind":"http","outcome":"success","reason":"","elapsed_seconds":0.0034,"detail":"GET /health 200"},
    {"name":"database","kind":"database","outcome":"success","reason":"","elapsed_seconds":0.0021,
     "detail":"PostgreSQL 15.20 at 127.0.0.1:5432/codex"}],
  "startup":{"duration_seconds":3.42,"phases":{"respond":0.9,"spawn":0.01,"listen":2.1,"database":0.41},
             "waiting_for":null},
  "resources":{"processes":4,"threads":33,"resident_memory_bytes":217440512,"used_memory_bytes":117440512,"used_memory_source":"proportional","cpu_ratio":0.0123,"cpu_seconds_total":4.125,"open_fds":63},
  "hang":null,"problem":"","log_file":"/srv/logs/server.log"}]})";

std::string render(const std::string& document) {
  const auto status = parse_status(document);
  return status ? render_status_text(*status, false) : "(not a status)";
}

int exit_code(const std::string& document) {
  const auto status = parse_status(document);
  return status ? status_exit_code(*status) : -1;
}

std::string one(const std::string& members) {
  return R"({"backends":[{)" + members + "}]}";
}

TEST(StatusText, AHealthyBackendShowsTheThreeChecksAndTheirFacts) {
  EXPECT_EQ(render(kHealthy),
            "codex   running, healthy   pid 4242   up 2h 13m   restarts 1 (hang)   wanted: running\n"
            "  ✅ Server is listening on port 5000      node 4251, accept queue 0\n"
            "  ✅ Health endpoint responding            GET /health 200 in 3.4 ms\n"
            "  ✅ Database connected                    PostgreSQL 15.20 at 127.0.0.1:5432/codex in 2.1 ms\n"
            "  started in 3.42 s: spawn 0.01, listen 2.10, database 0.41, respond 0.90\n"
            "  memory 112 MiB (shared pages once) in 4 processes   CPU 1.2 % (4.1 s in all)   fds 63   "
            "threads 33\n");
  EXPECT_EQ(exit_code(kHealthy), kExitOk);
}

TEST(StatusText, HealthDoesNotStandAboveAFailingCheck) {
  const std::string document = one(
      R"("name":"codex","state":"running","health":"healthy","health_reason":"http failing 2 of 3",
         "probes":[{"name":"http","outcome":"failure","reason":"status","detail":"GET /health 503",
                    "consecutive_failures":2,"failure_threshold":3,"age_seconds":4.9,"period_seconds":5}])");
  EXPECT_THAT(render(document), ::testing::StartsWith("codex   running, http failing 2 of 3   "));
  EXPECT_EQ(exit_code(document), kExitOk);
}

TEST(StatusText, AnAnswerThatIsOlderThanUsualShowsItsAge) {
  const auto health = [](const char* age, const char* hang) {
    return render(one(R"("name":"codex","state":"running","hang":)" + std::string(hang) +
                      R"(,"probes":[{"name":"http","outcome":"success","detail":"GET /health 200",
                                     "elapsed_seconds":0.0034,"period_seconds":5,"age_seconds":)" +
                      age + "}]"));
  };
  using ::testing::HasSubstr;
  using ::testing::Not;
  EXPECT_THAT(health("5.99", "null"), HasSubstr("GET /health 200 in 3.4 ms\n"));
  EXPECT_THAT(health("6", "null"),
              HasSubstr("✅ Health endpoint responding            GET /health 200 in 3.4 ms, 6s ago\n"));
  const char* hang = R"({"class":"spin","lasted_seconds":3})";
  EXPECT_THAT(health("2.9", hang), HasSubstr("in 3.4 ms\n")) << "it came in spite of the hang";
  EXPECT_THAT(
      health("3.1", hang),
      HasSubstr(
          "–  Health endpoint responding            GET /health 200 in 3.4 ms, 3s ago, before the hang\n"));
}

TEST(StatusText, MemoryIsTheFigureThatTheLimitIsComparedWith) {
  const auto memory = [](const char* source) {
    return render(
        one(R"("name":"a","state":"running","memory_limit_bytes":536870912,"resources":{"processes":5,
        "resident_memory_bytes":1073741824,"used_memory_bytes":104857600,"used_memory_source":")" +
            std::string(source) + "\"}"));
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(memory("resident"), HasSubstr("  memory 100 MiB in 5 processes, limit 512 MiB\n"));
  EXPECT_THAT(memory("cgroup"),
              HasSubstr("  memory 100 MiB (of its cgroup) in 5 processes, limit 512 MiB\n"));
}

TEST(StatusText, ADatabaseThatIsDownIsNamedWithItsReason) {
  const std::string document = one(
      R"("name":"codex","state":"degraded","health":"degraded","health_reason":"database: refused",
         "desired":"running","pid":9,"uptime_seconds":61,"restarts":{"total":0,"by_reason":{"crash":0}},
         "port":{"number":5000,"listening":true,"owner_pid":10,"owner_command":"node","ours":true,"accept_queue":2},
         "probes":[{"name":"http","kind":"http","outcome":"failure","reason":"status","detail":"GET /health 503",
                    "consecutive_failures":3,"failure_threshold":3},
                   {"name":"database","kind":"database","outcome":"failure","reason":"refused",
                    "detail":"127.0.0.1:5432 refused the connection","consecutive_failures":5,"failure_threshold":3}])");
  EXPECT_EQ(render(document),
            "codex   degraded (database: refused)   pid 9   up 1m 1s   restarts 0   wanted: running\n"
            "  ✅ Server is listening on port 5000      node 10, accept queue 2\n"
            "  ❌ Health endpoint not responding        GET /health 503, 3/3 failures\n"
            "  ❌ Database not connected                refused: 127.0.0.1:5432 refused the connection, 5 "
            "failures, limit 3\n");
  EXPECT_EQ(exit_code(document), kExitUnhealthy);
}

TEST(StatusText, AStartingBackendShowsWhatItWaitsFor) {
  const std::string document = one(
      R"("name":"codex","state":"starting","desired":"running","pid":9,"uptime_seconds":0.5,
         "port":{"number":5000,"listening":false,"owner_pid":null,"owner_command":null,"ours":false,"accept_queue":null},
         "probes":[{"name":"http","kind":"http","outcome":null}],
         "startup":{"duration_seconds":3.42,"phases":{"spawn":0.01},"waiting_for":"listen"})");
  EXPECT_EQ(render(document),
            "codex   starting   pid 9   restarts 0   wanted: running\n"
            "  ❌ Server is not listening on port 5000\n"
            "  –  Health endpoint not checked yet\n"
            "  –  Database not configured\n"
            "  starting: spawn 0.01, waiting for listen\n");
  EXPECT_EQ(exit_code(document), kExitNotRunning);
}

TEST(StatusText, AFailedBackendEndsWithItsProblem) {
  const std::string document = one(
      R"("name":"codex","state":"failed","desired":"running","restarts":{"total":5,"by_reason":{"crash":3,"hang":2}},
         "last_exit":{"outcome":"exit_nonzero","code":3,"signal":null},
         "port":{"number":5000,"listening":true,"owner_pid":4711,"owner_command":"python3","ours":false},
         "probes":[{"name":"http","kind":"http","outcome":"success","detail":"GET /health 200"}],
         "problem":"Port 5000 is held by pid 4711 (python3), not started by codex-agent. Stop it, or set PORT.")");
  EXPECT_EQ(
      render(document),
      "codex   failed   restarts 5 (3 crash, 2 hang)   last exit: exit code 3   wanted: running\n"
      "  ❌ Server is not listening on port 5000   held by python3 4711, not started by codex-agent\n"
      "  –  Health endpoint not checked           not running\n"
      "  –  Database not configured\n"
      "  ❌ Port 5000 is held by pid 4711 (python3), not started by codex-agent. Stop it, or set PORT.\n");
  EXPECT_EQ(exit_code(document), kExitNotRunning);
}

TEST(StatusText, WhyItEndedLastIsShownWhileItIsWellAgain) {
  const std::string end = R"("last_end":{"at":"not a time","told":"Server has ended: x (server.js:20)."})";
  EXPECT_THAT(render(one(R"("name":"codex","state":"running","health":"healthy",)" + end)),
              ::testing::HasSubstr("\n  last end: not a time   Server has ended: x (server.js:20).\n"));
  for (const char* other : {R"("state":"failed",)", R"("state":"running","problem":"ill",)"})
    EXPECT_THAT(render(one(R"("name":"codex",)" + std::string(other) + end)),
                ::testing::Not(::testing::HasSubstr("last end")));
}

TEST(StatusText, AHolderOfThePortThatMayNotBeLookedAtIsSomebodyElse) {
  EXPECT_THAT(
      render(one(R"("name":"codex","state":"failed",
         "port":{"number":5000,"listening":true,"owner_pid":null,"owner_command":null,"ours":false,"accept_queue":0})")),
      ::testing::HasSubstr("held by somebody else's process, accept queue 0, not started by codex-agent"));
}

TEST(StatusText, AStoppedBackendSaysHowItEnded) {
  const std::string document = one(
      R"("name":"codex","state":"stopped","desired":"stopped","pid":null,"uptime_seconds":null,
         "last_exit":{"outcome":"signal","code":143,"signal":"SIGTERM"},"resources":null,
         "port":{"number":5000,"listening":false,"ours":false})");
  EXPECT_EQ(render(document),
            "codex   stopped   restarts 0   last exit: SIGTERM   wanted: stopped\n"
            "  ❌ Server is not listening on port 5000\n"
            "  –  Health endpoint not configured\n"
            "  –  Database not configured\n");
  EXPECT_EQ(exit_code(document), kExitNotRunning);
}

TEST(StatusText, AHangIsShownWithItsClass) {
  const std::string text = render(one(
      R"("name":"codex","state":"hung","hang":{"class":"spin","since":"soon","detail":"parse() at app.js:7"})"));
  EXPECT_NE(text.find("codex   hung (spin)   restarts 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  ❌ Hang: spin, since soon, parse() at app.js:7\n"), std::string::npos) << text;
}

TEST(StatusText, AHangSaysWhereItIsAndWhatComesNext) {
  const auto hang = [](const std::string& rest) {
    return render(
        one(R"("name":"codex","state":"hung","hang":{"class":"spin","lasted_seconds":4.2,)" + rest + "}"));
  };
  EXPECT_THAT(hang(R"json("where":"slowQuery (server.js:12)","detail":"runs","action":"restart",
                          "due_in_seconds":0.8,"evidence":"20261126T114233.482Z-codex")json"),
              ::testing::HasSubstr(
                  "  ❌ Hang: spin for 4.20 s, in slowQuery (server.js:12), runs; restart in 800.0 ms\n"
                  "     codex-agent evidence 20261126T114233.482Z-codex\n"));
  EXPECT_THAT(hang(R"("action":"restart","due_in_seconds":0)"), ::testing::HasSubstr("; restart is due\n"));
  EXPECT_THAT(hang(R"("action":"report","due_in_seconds":null)"),
              ::testing::HasSubstr("; a restart would not help"));
}

TEST(StatusText, WhatTheProbeCouldNotAskIsNeitherGoodNorBad) {
  const std::string text = render(one(
      R"("name":"codex","state":"running","probes":[
         {"name":"http","kind":"http","outcome":"unknown","reason":"internal","detail":"out of descriptors"}])"));
  EXPECT_NE(text.find("  –  Health endpoint unknown               internal: out of descriptors\n"),
            std::string::npos)
      << text;
}

TEST(StatusText, APortThatListensButDoesNotAcceptIsBad) {
  const std::string text = render(one(
      R"("name":"codex","state":"running","port":{"number":5000,"listening":true,"ours":true},"probes":[
         {"name":"port","kind":"port","outcome":"failure","reason":"timeout","detail":"accept queue full",
          "consecutive_failures":1,"failure_threshold":3}])"));
  EXPECT_NE(
      text.find(
          "  ❌ Server does not accept connections on port 5000   timeout: accept queue full, 1/3 failures\n"),
      std::string::npos)
      << text;
}

TEST(StatusText, ExtraProbesHaveALineEach) {
  const std::string text = render(one(
      R"("name":"codex","state":"running","probes":[
         {"name":"redis","kind":"port","outcome":"failure","reason":"refused","detail":""},
         {"name":"admin","kind":"http","outcome":"success","detail":"GET /admin 200"}])"));
  EXPECT_NE(text.find("  ❌ Probe redis failing                   refused\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  ✅ Probe admin ok                        GET /admin 200\n"), std::string::npos)
      << text;
}

TEST(StatusText, NullsEverywhereAreNoTrouble) {
  const std::string nulls = one(
      R"("name":null,"state":null,"health":null,"desired":null,"pid":null,"uptime_seconds":null,"restarts":null,
         "last_exit":null,"port":null,"probes":null,"startup":null,"resources":null,"hang":null,"problem":null)");
  const std::string expected =
      "unknown   restarts 0\n"
      "  –  Server port not configured\n"
      "  –  Health endpoint not configured\n"
      "  –  Database not configured\n";
  EXPECT_EQ(render(nulls), expected);
  EXPECT_EQ(render(R"({"backends":[{}]})"), expected);
  EXPECT_EQ(render(R"({"backends":[17]})"), expected);
  EXPECT_EQ(exit_code(nulls), kExitNotRunning);
}

TEST(StatusText, WrongTypesAreAsGoodAsNulls) {
  const std::string text = render(one(
      R"("name":7,"state":["running"],"pid":"4242","uptime_seconds":"long","restarts":[],"port":"5000",
         "probes":{"a":1},"startup":[],"resources":3,"hang":"yes","problem":{})"));
  EXPECT_EQ(text.substr(0, text.find('\n')), "unknown   restarts 0");
}

TEST(StatusText, HostileTextIsEscapedOnOneLine) {
  const std::string text = render(one(
      R"("name":"codex","state":"running","problem":"a\u001b[2J\nb\u0000\u202ec","probes":[
         {"name":"http","outcome":"failure","detail":"GET /\u0007\r503"}])"));
  EXPECT_NE(text.find("  ❌ a\\x1b[2J\\x0ab\\x00\\xe2\\x80\\xaec\n"), std::string::npos) << text;
  EXPECT_NE(text.find("GET /\\x07\\x0d503\n"), std::string::npos) << text;
  for (const char c : text)
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
}

TEST(StatusText, AVeryLongDetailIsCut) {
  const std::string text =
      render(one(R"("name":"codex","state":"failed","problem":")" + std::string(30'000, 'x') + '"'));
  EXPECT_LT(text.size(), 2'000U);
}

TEST(StatusText, ColourIsOnlyInTheHeadline) {
  const auto status = parse_status(kHealthy);
  ASSERT_TRUE(status);
  const std::string text = render_status_text(*status, true);
  EXPECT_EQ(
      text.substr(0, text.find('\n')),
      "codex   \x1b[32mrunning, healthy\x1b[0m   pid 4242   up 2h 13m   restarts 1 (hang)   wanted: running");
  EXPECT_EQ(text.find('\x1b', text.find('\n')), std::string::npos);
}

TEST(StatusText, TheWorstBackendDecidesTheExitCode) {
  const auto states = [](std::initializer_list<const char*> all) {
    StatusDocument status;
    for (const char* state : all) status.backends.emplace_back().state = state;
    return status_exit_code(status);
  };
  EXPECT_EQ(states({"running", "running"}), kExitOk);
  EXPECT_EQ(states({"running", "degraded"}), kExitUnhealthy);
  EXPECT_EQ(states({"hung", "running"}), kExitUnhealthy);
  EXPECT_EQ(states({"degraded", "stopped", "running"}), kExitNotRunning);
  for (const char* state : {"stopped", "starting", "stopping", "backoff", "failed", "nonsense"})
    EXPECT_EQ(states({state, "hung"}), kExitNotRunning) << state;
  EXPECT_EQ(states({}), kExitOk);
}

TEST(StatusText, SeveralBackendsAreSeveralBlocks) {
  const std::string text =
      render(R"({"backends":[{"name":"api","state":"running"},{"name":"web","state":"stopped"}]})");
  EXPECT_EQ(text.find("api   running"), 0U);
  EXPECT_NE(text.find("\nweb   stopped"), std::string::npos);
}

}  // namespace
}  // namespace codex
