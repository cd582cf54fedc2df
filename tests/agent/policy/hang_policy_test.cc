#include "agent/policy/hang_policy.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr TimePoint kNow = TimePoint(std::chrono::hours(5));

HangVerdict confirmed(HangClass hang, Duration clock, bool debugger = false) {
  HangVerdict verdict;
  verdict.state = HangVerdict::State::kConfirmed;
  verdict.hang = hang;
  verdict.clock = clock;
  verdict.debugger = debugger;
  verdict.unanswered_probes = 2;
  return verdict;
}

HangAction action(HangPolicy& policy, HangClass hang, Duration clock, TimePoint now = kNow) {
  return policy.on_confirmed(confirmed(hang, clock), now).action;
}

TEST(HangPolicy, ActsAtTheFloorOfTheClassAndNotBefore) {
  const std::pair<HangClass, seconds> floors[] = {{HangClass::kSpin, seconds(5)},
                                                  {HangClass::kFutex, seconds(5)},
                                                  {HangClass::kBlockedSyscall, seconds(5)},
                                                  {HangClass::kFdExhausted, seconds(5)},
                                                  {HangClass::kHandler, seconds(10)},
                                                  {HangClass::kPoolExhausted, seconds(10)},
                                                  {HangClass::kThreadpool, seconds(10)},
                                                  {HangClass::kSyncChild, seconds(30)},
                                                  {HangClass::kGc, seconds(30)}};
  for (const auto& [hang, floor] : floors) {
    HangPolicy policy(true);
    EXPECT_EQ(action(policy, hang, floor - Duration(1)), HangAction::kNone) << to_string(hang);
    EXPECT_EQ(action(policy, hang, floor), HangAction::kRestart) << to_string(hang);
    EXPECT_EQ(action(policy, hang, floor * 2), HangAction::kNone) << "once";
  }
}

TEST(HangPolicy, NeverRestartsWhatARestartDoesNotHelp) {
  for (const auto hang : {HangClass::kDbWait, HangClass::kDiskWait, HangClass::kUpstream, HangClass::kStarved,
                          HangClass::kPaused, HangClass::kStartupStuck}) {
    HangPolicy policy(true);
    EXPECT_EQ(action(policy, hang, seconds(1)), HangAction::kReport) << to_string(hang);
    for (int minute = 1; minute < 600; ++minute)
      ASSERT_EQ(action(policy, hang, minutes(minute)), HangAction::kNone) << to_string(hang);
  }
}

TEST(HangPolicy, ContinuesAStoppedProcessAndRestartsItWhenThatDidNotHelp) {
  HangPolicy policy(true);
  EXPECT_EQ(action(policy, HangClass::kStopped, std::chrono::milliseconds(999)), HangAction::kNone);
  EXPECT_EQ(action(policy, HangClass::kStopped, seconds(1)), HangAction::kContinue);
  EXPECT_EQ(action(policy, HangClass::kStopped, seconds(6) - Duration(1)), HangAction::kNone);
  EXPECT_EQ(action(policy, HangClass::kStopped, seconds(6)), HangAction::kRestart);
}

TEST(HangPolicy, HoldsWhileADebuggerIsAttached) {
  HangPolicy policy(true);
  EXPECT_EQ(policy.on_confirmed(confirmed(HangClass::kSpin, seconds(100), true), kNow).action,
            HangAction::kReport);
  EXPECT_EQ(policy.on_confirmed(confirmed(HangClass::kSpin, seconds(200), true), kNow).action,
            HangAction::kNone);
  EXPECT_EQ(policy.on_confirmed(confirmed(HangClass::kSpin, seconds(201)), kNow).action, HangAction::kRestart)
      << "it went away";
}

TEST(HangPolicy, OnlyReportsWhenToldSo) {
  HangPolicy policy(false);
  EXPECT_EQ(action(policy, HangClass::kSpin, seconds(1)), HangAction::kReport);
  EXPECT_EQ(action(policy, HangClass::kSpin, seconds(100)), HangAction::kNone);
}

TEST(HangPolicy, AHandlerNeedsTwoFailedProbes) {
  HangPolicy policy(true);
  auto verdict = confirmed(HangClass::kHandler, seconds(20));
  verdict.unanswered_probes = 1;
  EXPECT_EQ(policy.on_confirmed(verdict, kNow).action, HangAction::kNone);
  verdict.unanswered_probes = 2;
  EXPECT_EQ(policy.on_confirmed(verdict, kNow).action, HangAction::kRestart);
}

TEST(HangPolicy, AHandlerThatNoProbeAsksNeedsNone) {
  HangPolicy policy(true);
  auto verdict = confirmed(HangClass::kHandler, seconds(10));
  verdict.unanswered_probes.reset();
  EXPECT_EQ(policy.on_confirmed(verdict, kNow).action, HangAction::kRestart);
}

TEST(HangPolicy, AHangThatHealsByItselfTeachesNoPatience) {
  HangPolicy policy(true);
  policy.on_confirmed(confirmed(HangClass::kSpin, seconds(4)), kNow);
  policy.on_over();
  EXPECT_EQ(policy.patience(HangClass::kSpin, kNow), seconds(5));
}

TEST(HangPolicy, WhatWasPromisedIsKeptWhenTheClassTurnsOutToBeAnother) {
  HangPolicy policy(true);
  EXPECT_EQ(action(policy, HangClass::kSpin, seconds(1)), HangAction::kNone);
  EXPECT_EQ(policy.plan(confirmed(HangClass::kGc, seconds(2)), kNow).patience, seconds(5));
  EXPECT_EQ(action(policy, HangClass::kGc, seconds(5)), HangAction::kRestart);
  HangPolicy other(true);
  EXPECT_EQ(action(other, HangClass::kHandler, seconds(3)), HangAction::kNone);
  EXPECT_EQ(other.plan(confirmed(HangClass::kSpin, seconds(4)), kNow).patience, seconds(5)) << "or sooner";
  other.on_over();
  EXPECT_EQ(other.plan(confirmed(HangClass::kGc, seconds(1)), kNow).patience, seconds(30)) << "of this hang";
}

TEST(HangPolicy, PatienceDoublesWhenARestartDidNotHelp) {
  HangPolicy policy(true);
  ASSERT_EQ(action(policy, HangClass::kSpin, seconds(5)), HangAction::kRestart);
  policy.on_over();
  const auto again = policy.on_confirmed(confirmed(HangClass::kSpin, seconds(9)), kNow + minutes(1));
  EXPECT_EQ(again.action, HangAction::kNone);
  EXPECT_EQ(again.patience, seconds(10));
  EXPECT_EQ(again.restarts_that_did_not_help, 1);
  ASSERT_EQ(action(policy, HangClass::kSpin, seconds(10), kNow + minutes(1)), HangAction::kRestart);
  policy.on_over();
  EXPECT_EQ(policy.patience(HangClass::kSpin, kNow + minutes(2)), seconds(20));
  EXPECT_EQ(policy.patience(HangClass::kFutex, kNow + minutes(2)), seconds(5)) << "of the same class";
  EXPECT_EQ(policy.patience(HangClass::kSpin, kNow + minutes(11)), seconds(5)) << "within ten minutes";
}

TEST(HangPolicy, ManyVainRestartsKeepPatienceBounded) {
  HangPolicy policy(true);
  for (int i = 0; i < 300; ++i) {
    action(policy, HangClass::kSpin, std::chrono::hours(1));
    policy.on_over();
  }
  EXPECT_EQ(policy.patience(HangClass::kSpin, kNow), minutes(10));
}

TEST(HangPolicy, ARuleChangesActionAndPatienceOfItsClassAlone) {
  HangPolicy policy(true, {{HangClass::kSpin, {HangReaction::kReport, std::nullopt}},
                           {HangClass::kDbWait, {HangReaction::kRestart, seconds(30)}},
                           {HangClass::kFutex, {std::nullopt, seconds(2)}}});
  EXPECT_EQ(action(policy, HangClass::kSpin, seconds(1)), HangAction::kReport);
  EXPECT_EQ(action(policy, HangClass::kSpin, minutes(1)), HangAction::kNone);
  policy.on_over();
  EXPECT_EQ(action(policy, HangClass::kDbWait, seconds(29)), HangAction::kNone);
  EXPECT_EQ(action(policy, HangClass::kDbWait, seconds(30)), HangAction::kRestart);
  policy.on_over();
  EXPECT_EQ(action(policy, HangClass::kFutex, seconds(2)), HangAction::kRestart);
  policy.on_over();
  EXPECT_EQ(action(policy, HangClass::kBlockedSyscall, seconds(4)), HangAction::kNone);
}

TEST(HangPolicy, ARuleIsAboveTheGeneralAction) {
  HangPolicy policy(false, {{HangClass::kSpin, {HangReaction::kRestart, std::nullopt}}});
  EXPECT_EQ(action(policy, HangClass::kSpin, seconds(5)), HangAction::kRestart);
  EXPECT_EQ(action(policy, HangClass::kFutex, seconds(5)), HangAction::kReport);
}

TEST(HangPolicy, APlanTellsWhatWillBeDoneAndWhen) {
  HangPolicy policy(true);
  const auto spin = policy.plan(confirmed(HangClass::kSpin, seconds(1)), kNow);
  EXPECT_EQ(spin.action, HangAction::kRestart);
  EXPECT_EQ(spin.patience, seconds(5));
  EXPECT_EQ(policy.plan(confirmed(HangClass::kDbWait, seconds(1)), kNow).action, HangAction::kReport);
  EXPECT_EQ(policy.plan(confirmed(HangClass::kSpin, seconds(1), true), kNow).action, HangAction::kReport);
  EXPECT_EQ(action(policy, HangClass::kStopped, seconds(1)), HangAction::kContinue);
  const auto after = policy.plan(confirmed(HangClass::kStopped, seconds(2)), kNow);
  EXPECT_EQ(after.action, HangAction::kRestart);
  EXPECT_EQ(after.patience, seconds(6));
  EXPECT_EQ(HangPolicy(false).plan(confirmed(HangClass::kSpin, seconds(1)), kNow).action,
            HangAction::kReport);
}

}  // namespace
}  // namespace codex
