#include "agent/record/recent_history.h"

#include <gtest/gtest.h>

#include <cmath>

namespace codex {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr TimePoint kNow = TimePoint(hours(5));

/// "running 60-10 (ready)" for each state, in seconds ago.
std::vector<std::string> told(const RecentHistory& history, TimePoint now) {
  std::vector<std::string> lines;
  for (const RecentState& state : history.tell(now).states) {
    lines.push_back(state.state + " " + std::to_string(std::llround(state.begin_seconds_ago)) + "-" +
                    std::to_string(std::llround(state.end_seconds_ago)) + " (" + state.reason + ")");
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(RecentHistory, StatesFollowEachOtherWithoutGaps) {
  RecentHistory history({});
  EXPECT_EQ(told(history, kNow), Lines{});
  history.entered("starting", "start_command", kNow);
  history.entered("running", "ready", kNow + seconds(3));
  history.entered("hung", "hang: spin", kNow + seconds(60));
  EXPECT_EQ(told(history, kNow + seconds(70)),
            (Lines{"starting 70-67 (start_command)", "running 67-10 (ready)", "hung 10-0 (hang: spin)"}));
}

TEST(RecentHistory, TheSameStateAgainIsNoChange) {
  RecentHistory history({});
  history.entered("running", "ready", kNow);
  history.entered("running", "recovered", kNow + seconds(5));
  EXPECT_EQ(told(history, kNow + seconds(9)), Lines{"running 9-0 (ready)"});
}

TEST(RecentHistory, WhatBeganEarlierIsCutAtTheHour) {
  RecentHistory history({});
  history.entered("running", "ready", kNow);
  EXPECT_EQ(told(history, kNow + hours(30)), Lines{"running 3600-0 (ready)"});
  history.entered("degraded", "database: refused", kNow + hours(30));
  EXPECT_EQ(told(history, kNow + hours(30) + minutes(59)),
            (Lines{"running 3600-3540 (ready)", "degraded 3540-0 (database: refused)"}));
  EXPECT_EQ(told(history, kNow + hours(31)), Lines{"degraded 3600-0 (database: refused)"});
}

TEST(RecentHistory, UnknownTimesAreGaps) {
  RecentHistory history({});
  history.entered("running", "ready", kNow);
  history.entered("", "no_agent", kNow + seconds(10));
  history.entered("stopped", "agent_started", kNow + seconds(30));
  EXPECT_EQ(told(history, kNow + seconds(40)),
            (Lines{"running 40-30 (ready)", "stopped 10-0 (agent_started)"}));
}

TEST(RecentHistory, ACrashLoopIsBounded) {
  RecentHistory history({});
  for (int i = 0; i < 1000; ++i) history.entered(i % 2 ? "backoff" : "starting", "crash", kNow + seconds(i));
  const auto states = history.tell(kNow + seconds(1000)).states;
  ASSERT_EQ(states.size(), RecentHistory::kMaxStates);
  EXPECT_EQ(states.back().begin_seconds_ago, 1);
  EXPECT_EQ(states.front().begin_seconds_ago, 200);
}

TEST(RecentHistory, ProbesAndUseAreToldByName) {
  RecentHistory history({"port", "http"});
  history.asked(1, .25, kNow);
  history.asked(1, std::nullopt, kNow);
  history.asked(0, std::nullopt, kNow);
  history.used(1e8, std::nullopt, kNow);
  const BackendRecent recent = history.tell(kNow);
  ASSERT_EQ(recent.probes.size(), 2U);
  EXPECT_EQ(recent.probes[0].name, "port");
  EXPECT_TRUE(std::isnan(recent.probes[0].seconds.back()));
  EXPECT_EQ(recent.probes[0].failures.back(), 1);
  EXPECT_EQ(recent.probes[1].seconds.back(), .25F);
  EXPECT_EQ(recent.probes[1].failures.back(), 1);
  EXPECT_EQ(recent.used_memory_bytes.back(), 1e8F);
  EXPECT_TRUE(std::isnan(recent.cpu_ratio.back())) << "not known yet is not nothing";
  history.used(1e8, 0.5, kNow);
  EXPECT_EQ(history.tell(kNow).cpu_ratio.back(), .5F);
}

}  // namespace
}  // namespace codex
