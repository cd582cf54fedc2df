#include "agent/supervision/hang_response.h"

#include "agent/evidence/incident_store.h"
#include "tests/agent/supervision/hang_response_fixture.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::decision;
using testing::suspicion;
using testing::verdict;
using Moment = EvidenceRequest::Moment;

class HangResponseTest : public testing::HangResponseFixture {};

TEST_F(HangResponseTest, ARequestSaysWhatIsKnownAndLeavesOutWhoItIs) {
  run();
  response_.half_way(suspicion());
  ASSERT_EQ(captures_.size(), 1U);
  EXPECT_EQ(newest().moment, Moment::kSuspected);
  EXPECT_EQ(newest().id, incident_id(schedule_.wall_now(), "api"));
  EXPECT_EQ(newest().hang_class, "") << "there is no vote yet";
  EXPECT_EQ(newest().why, "nothing is accepted");
  EXPECT_EQ(newest().since, schedule_.wall_now() - milliseconds(400));
  EXPECT_EQ(newest().backend, "");
  EXPECT_EQ(newest().server, std::nullopt);
  schedule_.pass(milliseconds(400));
  response_.confirmed(verdict(HangClass::kSpin, milliseconds(800)));
  ASSERT_EQ(captures_.size(), 2U);
  EXPECT_EQ(newest().moment, Moment::kConfirmed);
  EXPECT_EQ(newest().hang_class, "spin");
  EXPECT_EQ(newest().why, "its loop is busy");
  EXPECT_EQ(newest().since, schedule_.wall_now() - milliseconds(800));
  EXPECT_TRUE(newest().votes.empty()) << "the watch has not looked";
}

TEST_F(HangResponseTest, ARequestSaysWhatComesNext) {
  give(EventType::kStart);
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  EXPECT_EQ(newest().next, "the time limit of the start");
  give(EventType::kReady);
  const std::string nothing = "nothing: a restart would not help, or is not wanted";
  const std::pair<HangClass, std::string> nexts[] = {
      {HangClass::kSpin, "restart when it has lasted 5 s"},
      {HangClass::kHandler, "restart when it has lasted 10 s"},
      {HangClass::kStopped, "continue when it has lasted 1 s"},
      {HangClass::kDbWait, nothing},
  };
  for (const auto& [hang, next] : nexts) {
    response_.confirmed(verdict(hang, seconds(1)));
    EXPECT_EQ(newest().next, next) << to_string(hang);
  }
  auto debugged = verdict(HangClass::kSpin, seconds(1));
  debugged.debugger = true;
  response_.confirmed(debugged);
  EXPECT_EQ(newest().next, nothing);
}

TEST_F(HangResponseTest, FromSuspicionToItsEndAHangIsOneIncident) {
  run();
  response_.half_way(suspicion());
  const std::string first = newest().id;
  schedule_.pass(milliseconds(300));
  response_.confirmed(verdict(HangClass::kSpin, milliseconds(700)));
  EXPECT_EQ(newest().id, first);
  schedule_.pass(seconds(2));
  response_.confirmed(verdict(HangClass::kGc, milliseconds(2700)));
  EXPECT_EQ(newest().id, first) << "the class is another, the hang is not";
  response_.over(verdict(HangClass::kGc, seconds(3)), seconds(3));
  schedule_.pass(milliseconds(1));
  response_.confirmed(verdict(HangClass::kSpin, milliseconds(700)));
  EXPECT_EQ(newest().id, incident_id(schedule_.wall_now(), "api"));
  EXPECT_NE(newest().id, first);
}

TEST_F(HangResponseTest, ASuspicionThatClearsWasAnIncidentOfItsOwn) {
  run();
  response_.half_way(suspicion());
  response_.over(suspicion(), milliseconds(500));
  schedule_.pass(milliseconds(1));
  response_.confirmed(verdict(HangClass::kSpin, milliseconds(700)));
  EXPECT_NE(captures_[1].request.id, captures_[0].request.id);
}

TEST_F(HangResponseTest, SuspicionsAreLookedAtOnceAMinuteAndHangsAlways) {
  run();
  response_.half_way(suspicion());
  response_.over(suspicion(), milliseconds(500));
  schedule_.pass(minutes(1) - milliseconds(1));
  response_.half_way(suspicion());
  EXPECT_EQ(captures_.size(), 1U);
  response_.confirmed(verdict(HangClass::kSpin, milliseconds(700)));
  EXPECT_EQ(captures_.size(), 2U);
  response_.over(verdict(HangClass::kSpin, seconds(1)), seconds(1));
  schedule_.pass(milliseconds(1));
  response_.half_way(suspicion());
  EXPECT_EQ(captures_.size(), 3U) << "a minute after the last look at a suspicion, whatever hung meanwhile";
}

TEST_F(HangResponseTest, ARestartWaitsForTheEvidenceUnderWay) {
  run();
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  response_.confirmed(verdict(HangClass::kGc, seconds(2)));
  capturing_ = true;
  response_.due(verdict(HangClass::kGc, seconds(5)), decision(HangAction::kRestart));
  EXPECT_TRUE(restarts_.empty());
  answer(0, "", "");
  EXPECT_TRUE(restarts_.empty()) << "the second look is not finished";
  capturing_ = false;
  captures_[1].done(std::nullopt);
  ASSERT_EQ(restarts_.size(), 1U) << "also when nothing has come of it";
  EXPECT_EQ(restarts_[0].event.type, EventType::kRestart);
  EXPECT_EQ(restarts_[0].event.cause, Cause::kHang);
  answer(1, "", "");
  EXPECT_EQ(restarts_.size(), 1U);
}

TEST_F(HangResponseTest, WithoutEvidenceUnderWayARestartComesAtOnce) {
  run();
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  answer(0, "", "");
  EXPECT_TRUE(restarts_.empty()) << "it is not due";
  response_.due(verdict(HangClass::kSpin, seconds(5)), decision(HangAction::kRestart));
  EXPECT_EQ(restarts_.size(), 1U);
}

TEST_F(HangResponseTest, ARestartThatWaitsIsForgottenWhenTheHangEndsOrTheBackendIsStopped) {
  run();
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  capturing_ = true;
  response_.due(verdict(HangClass::kSpin, seconds(5)), decision(HangAction::kRestart));
  response_.over(verdict(HangClass::kSpin, seconds(6)), seconds(6));
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  capturing_ = false;
  answer(0, "", "");
  answer(1, "", "");
  EXPECT_TRUE(restarts_.empty()) << "the second hang has not lasted for long";
  capturing_ = true;
  response_.due(verdict(HangClass::kSpin, seconds(5)), decision(HangAction::kRestart));
  give(EventType::kStop);
  capturing_ = false;
  answer(1, "", "");
  EXPECT_TRUE(restarts_.empty());
}

TEST_F(HangResponseTest, AnAnswerAboutAnEarlierIncidentIsIgnored) {
  run();
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  response_.over(verdict(HangClass::kSpin, seconds(2)), seconds(2));
  const int changed = changed_;
  answer(0, "old", "old (server.js:1)");
  EXPECT_EQ(shown().last_hang->where, "") << "its story was told when it was over";
  schedule_.pass(milliseconds(1));
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  answer(0, "old", "old (server.js:1)");
  ASSERT_TRUE(shown().hang);
  EXPECT_EQ(shown().hang->where, "");
  EXPECT_EQ(shown().hang->evidence, "");
  EXPECT_EQ(changed_, changed + 1) << "for the second hang alone";
  answer(1, "new", "slow (server.js:12)");
  EXPECT_EQ(shown().hang->where, "slow (server.js:12)");
  EXPECT_EQ(shown().hang->evidence, "new");
  EXPECT_EQ(changed_, changed + 2);
}

TEST_F(HangResponseTest, AnAnswerWithoutAPlaceKeepsTheOneThatIsKnown) {
  run();
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  answer(0, "first", "slow (server.js:12)");
  answer(0, "", "");
  EXPECT_EQ(shown().hang->where, "slow (server.js:12)");
  EXPECT_EQ(shown().hang->evidence, "first");
}

TEST_F(HangResponseTest, InAStartItIsContinuedAndNothingElse) {
  give(EventType::kStart);
  response_.confirmed(verdict(HangClass::kStopped, seconds(1)));
  response_.due(verdict(HangClass::kStopped, seconds(1)), decision(HangAction::kContinue));
  EXPECT_EQ(continued_, 1);
  response_.due(verdict(HangClass::kStopped, seconds(6)), decision(HangAction::kRestart));
  EXPECT_TRUE(restarts_.empty());
  give(EventType::kReady);
  answer(0, "", "");
  EXPECT_TRUE(restarts_.empty()) << "what a start was spared does not come later";
}

TEST_F(HangResponseTest, WhatDoesNotRunIsLeftAlone) {
  const auto untouched = [&](State state) {
    ASSERT_EQ(lifecycle_.state(), state);
    for (const HangAction action : {HangAction::kReport, HangAction::kContinue, HangAction::kRestart})
      response_.due(verdict(HangClass::kStopped, seconds(6)), decision(action));
    EXPECT_EQ(continued_, 0) << to_string(state);
    EXPECT_TRUE(restarts_.empty()) << to_string(state);
  };
  run();
  response_.confirmed(verdict(HangClass::kStopped, seconds(1)));
  give(EventType::kStop);
  untouched(State::kStopping);
  give(EventType::kTreeEmpty);
  untouched(State::kStopped);
  give(EventType::kStart);
  give(EventType::kSpawnFailed);
  untouched(State::kFailed);
}

TEST_F(HangResponseTest, AReportDoesNothing) {
  run();
  response_.confirmed(verdict(HangClass::kDbWait, seconds(1)));
  response_.due(verdict(HangClass::kDbWait, seconds(1)), decision(HangAction::kReport));
  EXPECT_EQ(continued_, 0);
  EXPECT_TRUE(restarts_.empty());
  EXPECT_EQ(log_.counts().at("warning"), 2U) << "but it is told";
  response_.due(verdict(HangClass::kStopped, seconds(1)), decision(HangAction::kContinue));
  EXPECT_EQ(continued_, 1);
}

TEST_F(HangResponseTest, TheSentenceOfARestartSaysAllThatIsKnown) {
  run();
  const auto said = [&](int vain) {
    restarts_.clear();
    response_.due(verdict(HangClass::kSpin, seconds(5)), decision(HangAction::kRestart, vain));
    return restarts_.empty() ? "" : restarts_[0].problem;
  };
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  EXPECT_EQ(said(0), "Server hung (spin): its loop is busy.");
  answer(0, "", "slow (server.js:12)");
  EXPECT_EQ(said(0), "Server hung (spin): its loop is busy, in slow (server.js:12).");
  answer(0, "20261126T114233.482Z-api", "");
  EXPECT_EQ(said(2),
            "Server hung (spin): its loop is busy, in slow (server.js:12). `codex-agent evidence "
            "20261126T114233.482Z-api` tells more. It has been restarted for this 2 times in ten minutes "
            "without lasting help.");
}

}  // namespace
}  // namespace codex
