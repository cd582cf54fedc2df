#include "agent/supervision/application_watch.h"

#include <csignal>

#include "tests/agent/supervision/application_watch_fixture.h"

/// Ends of the leader. Those below a wrapper that lives on: idle_wrapper_test.cc.

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ApplicationWatchTest : public testing::ApplicationWatchFixture {};

TEST_F(ApplicationWatchTest, AnEndInAStartOrWhileItRunsIsUnexpectedAndDiagnosed) {
  start();
  const Report in_start = leader_exits();
  EXPECT_EQ(in_start.event.type, EventType::kExited);
  EXPECT_EQ(in_start.event.cause, Cause::kCrash);
  EXPECT_EQ(in_start.event.await, Await::kNone);
  EXPECT_EQ(in_start.problem, "Server process died unexpectedly: exit code 1.");
  EXPECT_EQ(diagnosed(Cause::kCrash), 1U);
  make();
  run();
  const Report while_running = leader_exits({true, 0, SIGSEGV, false});
  EXPECT_EQ(while_running.event.cause, Cause::kSegfault);
  EXPECT_EQ(while_running.problem, "Server process died unexpectedly: signal SIGSEGV.");
  EXPECT_EQ(diagnosed(Cause::kSegfault), 1U);
}

TEST_F(ApplicationWatchTest, AnEndThatWasAskedForHasNoCauseAndNoSentence) {
  const auto only_told = [&](State state) {
    ASSERT_EQ(lifecycle_.state(), state);
    const Report& report = leader_exits();
    EXPECT_EQ(report.event.type, EventType::kExited) << to_string(state);
    EXPECT_EQ(report.event.await, Await::kNone) << to_string(state);
    EXPECT_EQ(report.problem, "") << to_string(state);
    EXPECT_EQ(diagnosed(Cause::kModuleNotFound) + diagnosed(Cause::kCrash), 0U) << to_string(state);
  };
  run();
  says(testing::kMissingModule);
  lifecycle_.on({EventType::kStop}, schedule_.now());
  only_told(State::kStopping);
  lifecycle_.on({EventType::kTreeEmpty}, schedule_.now());
  only_told(State::kStopped);
  lifecycle_.on({EventType::kStart}, schedule_.now());
  lifecycle_.on({EventType::kSpawnFailed}, schedule_.now());
  only_told(State::kFailed);
}

TEST_F(ApplicationWatchTest, InAStartEveryLineCounts) {
  start();
  says(testing::kMissingModule);
  schedule_.pass(std::chrono::hours(1));
  EXPECT_EQ(leader_exits().event.cause, Cause::kModuleNotFound);
}

TEST_F(ApplicationWatchTest, OfWhatServedOnlyLinesAfterItsLastAnswerCount) {
  const std::pair<Duration, Cause> written[] = {{milliseconds(-1), Cause::kCrash},
                                                {milliseconds(0), Cause::kModuleNotFound},
                                                {milliseconds(1), Cause::kModuleNotFound}};
  for (const auto& [after, cause] : written) {
    make();
    run();
    testing::succeed(probes_[0], schedule_.now() + seconds(3));
    testing::succeed(probes_[1], schedule_.now() + seconds(10));
    testing::succeed(probes_[2], schedule_.now() + seconds(20));
    tree_.lines = {{schedule_.now() + seconds(10) + after, testing::kMissingModule}};
    schedule_.pass(seconds(30));
    EXPECT_EQ(leader_exits().event.cause, cause)
        << after.count() << " ns after the newest answer of a probe that asks its own listener";
  }
}

TEST_F(ApplicationWatchTest, OfWhatServedAndWasNeverAskedTheLastFiveSecondsCount) {
  const std::pair<Duration, Cause> written[] = {{milliseconds(4999), Cause::kModuleNotFound},
                                                {milliseconds(5000), Cause::kModuleNotFound},
                                                {milliseconds(5001), Cause::kCrash}};
  for (const auto& [before, cause] : written) {
    make();
    run();
    testing::succeed(probes_[2], schedule_.now());
    tree_.lines = {{schedule_.now(), testing::kMissingModule}};
    schedule_.pass(before);
    EXPECT_EQ(leader_exits().event.cause, cause) << before.count() << " ns before";
  }
}

struct Cured {
  const char* says;
  bool served, database, stranger;
  Cause cause;
  Await await;
};

const Cured kCured[] = {
    {testing::kMissingModule, false, false, false, Cause::kModuleNotFound, Await::kChange},
    {testing::kMissingModule, true, false, false, Cause::kModuleNotFound, Await::kNone},
    {testing::kRefused, false, true, false, Cause::kDatabaseRefused, Await::kDatabase},
    {testing::kRefused, true, true, false, Cause::kDatabaseRefused, Await::kDatabase},
    {testing::kRefused, false, false, false, Cause::kCrash, Await::kNone},
    {testing::kStartingUp, false, true, false, Cause::kDatabaseRefused, Await::kDatabase},
    {testing::kStartingUp, false, false, false, Cause::kDatabaseRefused, Await::kNone},
    {testing::kPortInUse, false, false, true, Cause::kPortTaken, Await::kPort},
    {testing::kPortInUse, true, false, true, Cause::kPortTaken, Await::kPort},
    {testing::kPortInUse, false, false, false, Cause::kPortTaken, Await::kNone},
    {"bye", false, true, true, Cause::kCrash, Await::kNone},
};

TEST_F(ApplicationWatchTest, ACauseIsCuredByWhatTheNextStartWouldLack) {
  ask_database();
  const auto with_database = config_.probes;
  for (const Cured& row : kCured) {
    SCOPED_TRACE(::testing::Message()
                 << row.says << (row.served ? ", served" : "") << (row.database ? ", database" : "")
                 << (row.stranger ? ", stranger" : ""));
    config_.probes = with_database;
    if (!row.database) config_.probes.pop_back();
    tree_.lines.clear();
    make();
    row.served ? run() : start();
    if (row.stranger) tree_.stranger = "pid 4711 (python3)";
    says(row.says);
    const Report& report = leader_exits();
    EXPECT_EQ(to_string(report.event.cause), to_string(row.cause));
    EXPECT_EQ(to_string(report.event.await), to_string(row.await));
    tree_.stranger.reset();
  }
}

TEST_F(ApplicationWatchTest, TheSentenceSaysWhatWasWrittenAndWhatIsWaitedFor) {
  const std::string how = "Server process died unexpectedly: exit code 1, ";
  ask_database();
  make();
  start();
  tree_.stranger = "pid 4711 (python3)";
  says(testing::kRefused);
  EXPECT_EQ(leader_exits().problem, how + "db_refused: " + testing::kRefused +
                                        ". It is started again when the database answers, or in 5m.");
  says(testing::kMissingModule);
  EXPECT_EQ(leader_exits().problem,
            how + "module_not_found: " + testing::kMissingModule +
                ". It is started again when a file of the project changes, or in 5m.");
  says(testing::kPortInUse);
  EXPECT_EQ(leader_exits().problem, how + "port_taken: " + testing::kPortInUse +
                                        ". It is started again when the port is free, or in 5m.");
}

TEST_F(ApplicationWatchTest, TheSentenceQuotesWhatWasSaidOfEveryEnd) {
  config_.directory = "/srv/app";
  make();
  start();
  says("[api] TypeError: Cannot read properties of undefined (reading 'x')");
  says("[api]     at boot (/srv/app/server.js:20:7)");
  says("[api]     at Module._compile (node:internal/modules/cjs/loader:1521:14)");
  const std::string words = "TypeError: Cannot read properties of undefined (reading 'x') (server.js:20)";
  EXPECT_EQ(leader_exits().problem, "Server process died unexpectedly: exit code 1: " + words + ".");
  BackendSnapshot snapshot;
  record_.fill(snapshot);
  EXPECT_EQ(snapshot.last_exit->why, words);
  make();
  start();
  tree_.lines.clear();
  says("FATAL: cannot read opensesame.pem");
  says("bye");
  EXPECT_EQ(leader_exits({true, 3, 0, false}).problem,
            "Server process died unexpectedly: exit code 3: FATAL: cannot read ***.pem.");
}

TEST_F(ApplicationWatchTest, ThereIsNoOutlookWhereNothingWillBeStarted) {
  const std::string missing = "Server process died unexpectedly: exit code 1, module_not_found: " +
                              std::string(testing::kMissingModule) + ".";
  config_.restart.retry_interval = Duration{0};
  make();
  start();
  says(testing::kMissingModule);
  EXPECT_EQ(leader_exits().problem, missing + " It is started again when a file of the project changes.");
  config_.restart.policy = RestartPolicy::kNever;
  make();
  start();
  EXPECT_EQ(leader_exits().problem, missing);
}

TEST_F(ApplicationWatchTest, AnOperatorsStartThatAPortRefusesIsNotTriedAgain) {
  tree_.stranger = "pid 4711 (python3)";
  start(false);
  says(testing::kPortInUse);
  EXPECT_EQ(leader_exits().problem, "Server process died unexpectedly: exit code 1, port_taken: " +
                                        std::string(testing::kPortInUse) + ".");
  says(testing::kMissingModule);
  tree_.lines.erase(tree_.lines.begin());
  EXPECT_TRUE(leader_exits().problem.ends_with(" or in 5m.")) << "an edit is waited for all the same";
}

TEST_F(ApplicationWatchTest, WhatItWroteIsShownWithoutSecretsAndCutShort) {
  start();
  says("Error: Cannot find module 'opensesame" + std::string(400, 'x'));
  const std::string problem = leader_exits().problem;
  EXPECT_EQ(problem.find("opensesame"), std::string::npos);
  EXPECT_NE(problem.find("Error: Cannot find module '***xxx"), std::string::npos) << problem;
  EXPECT_NE(problem.find("xxx.... It is started again"), std::string::npos) << problem;
}

TEST_F(ApplicationWatchTest, TheKernelsKillsOfThisGenerationAloneCount) {
  const ExitStatus killed{true, 0, SIGKILL, false}, killed_below_a_shell{true, 128 + SIGKILL, 0, false};
  start();
  EXPECT_EQ(leader_exits(killed).event.cause, Cause::kCrash) << "what was killed before was another one";
  oom_kills_ = 4;
  EXPECT_EQ(leader_exits(killed).event.cause, Cause::kOomKill);
  EXPECT_EQ(leader_exits(killed_below_a_shell).event.cause, Cause::kOomKill);
  EXPECT_EQ(leader_exits({true, 0, SIGTERM, false}).event.cause, Cause::kCrash);
  EXPECT_EQ(leader_exits({true, 1, 0, false}).event.cause, Cause::kCrash);
  watch_->begin_generation();
  EXPECT_EQ(leader_exits(killed).event.cause, Cause::kCrash);
}

TEST_F(ApplicationWatchTest, ANewGenerationHasNotServed) {
  run();
  lifecycle_.on({EventType::kRestart}, schedule_.now());
  lifecycle_.on({EventType::kTreeEmpty}, schedule_.now());
  ASSERT_EQ(lifecycle_.state(), State::kStarting);
  watch_->begin_generation();
  says(testing::kMissingModule);
  schedule_.pass(seconds(10));
  const Report& report = leader_exits();
  EXPECT_EQ(report.event.cause, Cause::kModuleNotFound);
  EXPECT_EQ(report.event.await, Await::kChange);
}

}  // namespace
}  // namespace codex
