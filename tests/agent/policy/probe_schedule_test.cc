#include "agent/policy/probe_schedule.h"

#include <gtest/gtest.h>

#include <vector>

namespace codex {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{hours(1)};

ProbeSpec spec_of(ProbeKind kind, ProbeRole role = ProbeRole::kLiveness) {
  ProbeSpec spec;
  spec.kind = kind;
  spec.role = role;
  spec.period = seconds(4);
  return spec;
}

/// The backend's own, which listens at its port.
ProbeSpec own_http() {
  auto spec = spec_of(ProbeKind::kHttp);
  spec.own_listener = true;
  return spec;
}

ProbeSchedule running(const ProbeSpec& spec, TimePoint since, std::size_t index = 0) {
  ProbeSchedule schedule(spec, index);
  schedule.begin_generation(since);
  schedule.begin_running(since);
  return schedule;
}

TEST(ProbeSchedule, NothingIsDueBeforeAStart) {
  const ProbeSchedule schedule(own_http(), 0);
  EXPECT_FALSE(schedule.due());
  EXPECT_FALSE(schedule.under_way());
}

TEST(ProbeSchedule, AStartAsksADatabaseAtOnceAndTheOthersOnceItListens) {
  for (const auto kind : {ProbeKind::kPort, ProbeKind::kHttp, ProbeKind::kDatabase}) {
    ProbeSchedule schedule(spec_of(kind), 0);
    schedule.begin_generation(kStart);
    const bool database = kind == ProbeKind::kDatabase;
    EXPECT_EQ(schedule.due(), database ? std::optional(kStart) : std::nullopt) << to_string(kind);
    schedule.begin_readiness(kStart + seconds(1));
    EXPECT_EQ(schedule.due(), database ? kStart : kStart + seconds(1)) << to_string(kind);
  }
}

TEST(ProbeSchedule, ThatItListensIsNewsOnlyOnce) {
  ProbeSchedule schedule(own_http(), 0);
  schedule.begin_generation(kStart);
  schedule.begin_readiness(kStart);
  schedule.attempt_began(kStart);
  schedule.begin_readiness(kStart + milliseconds(1));
  EXPECT_FALSE(schedule.due()) << "while an attempt is under way";
  schedule.attempt_ended(kStart + milliseconds(2));
  schedule.begin_readiness(kStart + milliseconds(3));
  EXPECT_EQ(schedule.due(), kStart + milliseconds(20)) << "it has its next turn";
}

TEST(ProbeSchedule, WhileStartingThePausesGrowByHalfUpToHalfASecond) {
  for (const auto role : {ProbeRole::kStartup, ProbeRole::kLiveness, ProbeRole::kReadiness}) {
    ProbeSchedule schedule(spec_of(ProbeKind::kDatabase, role), 3);
    schedule.begin_generation(kStart);
    for (const int pause :
         {20'000, 30'000, 45'000, 67'500, 101'250, 151'875, 227'812, 341'718, 500'000, 500'000}) {
      const TimePoint began = *schedule.due();
      schedule.attempt_began(began);
      schedule.attempt_ended(began + milliseconds(1));
      EXPECT_EQ(std::chrono::floor<microseconds>(*schedule.due() - began), microseconds(pause));
    }
  }
}

TEST(ProbeSchedule, TheNextStartIsInAHurryAgain) {
  ProbeSchedule schedule(spec_of(ProbeKind::kDatabase), 0);
  schedule.begin_generation(kStart);
  for (int i = 0; i < 5; ++i) {
    schedule.attempt_began(*schedule.due());
    schedule.attempt_ended(schedule.began());
  }
  schedule.begin_generation(kStart + hours(1));
  EXPECT_EQ(schedule.due(), kStart + hours(1));
  schedule.attempt_began(kStart + hours(1));
  schedule.attempt_ended(kStart + hours(1));
  EXPECT_EQ(schedule.due(), kStart + hours(1) + milliseconds(20));
}

TEST(ProbeSchedule, AnAttemptBeginsOnePeriodAfterTheLastBeganOrAtOnceWhenThatTookLonger) {
  for (const Duration took :
       {Duration{0}, Duration{milliseconds(3999)}, Duration{seconds(4)}, Duration{seconds(9)}}) {
    auto schedule = running(own_http(), kStart);
    const TimePoint began = *schedule.due();
    schedule.attempt_began(began);
    EXPECT_TRUE(schedule.under_way());
    EXPECT_FALSE(schedule.due()) << "it never overlaps itself";
    EXPECT_EQ(schedule.began(), began);
    schedule.attempt_ended(began + took);
    EXPECT_FALSE(schedule.under_way());
    EXPECT_EQ(schedule.due(), began + std::max<Duration>(seconds(4), took));
  }
}

TEST(ProbeSchedule, OnceItRunsTheFirstTurnIsAPeriodLaterSpreadByPlace) {
  const std::vector<Duration> expected{seconds(4), milliseconds(4050), milliseconds(4100)};
  for (std::size_t index = 0; index < expected.size(); ++index) {
    EXPECT_EQ(running(own_http(), kStart, index).due(), kStart + expected[index]);
  }
  auto hasty = own_http();
  hasty.period = milliseconds(80);
  EXPECT_EQ(running(hasty, kStart, 2).due(), kStart + milliseconds(100)) << "by an eighth of the period";
}

TEST(ProbeSchedule, OnceItRunsADelayThatWasAskedForIsKept) {
  auto patient = own_http();
  patient.initial_delay = seconds(30);
  auto schedule = running(patient, kStart, 2);
  EXPECT_EQ(schedule.due(), kStart + seconds(30));
  schedule.attempt_began(kStart + seconds(30));
  schedule.attempt_ended(kStart + seconds(30));
  EXPECT_EQ(schedule.due(), kStart + seconds(34)) << "once only";
}

TEST(ProbeSchedule, OnceItRunsAStartupProbeIsDone) {
  ProbeSchedule schedule(spec_of(ProbeKind::kHttp, ProbeRole::kStartup), 0);
  schedule.begin_generation(kStart);
  schedule.begin_readiness(kStart);
  schedule.begin_running(kStart);
  EXPECT_FALSE(schedule.due());

  schedule.begin_generation(kStart);
  schedule.begin_readiness(kStart);
  schedule.attempt_began(kStart);
  schedule.begin_running(kStart);
  EXPECT_TRUE(schedule.under_way()) << "what was begun goes on";
  schedule.attempt_ended(kStart + seconds(1));
  EXPECT_FALSE(schedule.due());
}

TEST(ProbeSchedule, AnAttemptThatAStartHasBegunIsFollowedByPeriodOnceItRuns) {
  ProbeSchedule schedule(own_http(), 0);
  schedule.begin_generation(kStart);
  schedule.begin_readiness(kStart);
  schedule.attempt_began(kStart);
  schedule.begin_running(kStart + milliseconds(5));
  EXPECT_FALSE(schedule.due());
  schedule.attempt_ended(kStart + milliseconds(10));
  EXPECT_EQ(schedule.due(), kStart + seconds(4));
}

TEST(ProbeSchedule, OnlyTheBackendsOwnHttpIsAskedOutOfTurn) {
  const TimePoint now = kStart + seconds(1);
  auto own = running(own_http(), kStart);
  own.ask_own_http(now);
  EXPECT_EQ(own.due(), now);
  own.attempt_began(now);
  own.ask_own_http(now);
  EXPECT_FALSE(own.due()) << "it is being asked";

  auto startup = own_http();
  startup.role = ProbeRole::kStartup;
  auto own_port = spec_of(ProbeKind::kPort);
  own_port.own_listener = true;
  for (const auto& spec : {spec_of(ProbeKind::kHttp), spec_of(ProbeKind::kDatabase), own_port, startup}) {
    auto other = running(spec, kStart);
    const auto before = other.due();
    other.ask_own_http(now);
    EXPECT_EQ(other.due(), before) << to_string(spec.kind) << " " << to_string(spec.role);
  }
}

TEST(ProbeSchedule, AStoppedOneIsNotDueAndAStartBeginsAfresh) {
  auto schedule = running(spec_of(ProbeKind::kDatabase), kStart);
  schedule.stop();
  EXPECT_FALSE(schedule.due());

  schedule.begin_generation(kStart);
  schedule.attempt_began(kStart);
  schedule.stop();
  EXPECT_FALSE(schedule.due());
  EXPECT_FALSE(schedule.under_way());

  schedule.begin_generation(kStart);
  schedule.attempt_began(kStart);
  schedule.begin_generation(kStart + seconds(1));
  EXPECT_FALSE(schedule.under_way());
  EXPECT_EQ(schedule.due(), kStart + seconds(1));
}

}  // namespace
}  // namespace codex
