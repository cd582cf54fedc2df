#include "agent/supervision/health_watch.h"

#include <gtest/gtest.h>

#include "tests/support/probe_attempts.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::probe_spec;

constexpr Duration kReconnect = seconds(30);

class HealthWatchTest : public ::testing::Test {
 protected:
  static RestartConfig config(Duration reconnect_timeout) {
    RestartConfig restart;
    restart.reconnect_timeout = reconnect_timeout;
    return restart;
  }
  ProbeTracker& http() { return probes_[0]; }
  ProbeTracker& database() { return probes_[1]; }
  std::optional<Report> follow() { return watch_.follow(HealthFacts{probes_}, now_); }

  void outage() {
    testing::fail(database(), now_);
    ASSERT_FALSE(follow()) << "an outage is no reason for a restart";
  }
  /// The server has not found back; that alone is below the threshold of a liveness restart.
  void back(bool server_well) {
    testing::succeed(database(), now_);
    if (server_well) {
      testing::succeed(http(), now_);
    } else {
      ProbeResult failure;
      failure.outcome = Outcome::kFailure;
      failure.reason = Reason::kStatus;
      http().record(failure, now_, {});
    }
    ASSERT_FALSE(follow()) << "it has just come back";
  }

  TimePoint now_{seconds(1000)};
  std::vector<ProbeTracker> probes_{
      ProbeTracker(probe_spec("http", ProbeKind::kHttp)),
      ProbeTracker(probe_spec("database", ProbeKind::kDatabase, ProbeRole::kReadiness))};
  HealthWatch watch_{config(kReconnect)};
};

TEST_F(HealthWatchTest, AFailingLivenessProbeIsToldWithWhatItSaid) {
  testing::succeed(database(), now_);
  testing::fail(http(), now_ + seconds(1), Reason::kStatus, "GET / 503");
  testing::succeed(database(), now_ + seconds(10));
  const auto report = follow();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->event.type, EventType::kRestart);
  EXPECT_EQ(report->event.cause, Cause::kProbeFailure);
  EXPECT_EQ(report->problem, "http: status: GET / 503");
}

TEST_F(HealthWatchTest, WhatItOnlySuffersFromAsksForNothing) {
  HealthFacts facts{probes_};
  facts.hang = ConfirmedHang{"spin", "its loop is busy", false};
  EXPECT_FALSE(watch_.follow(facts, now_)) << "when a hang is acted upon is not said here";
  EXPECT_EQ(watch_.verdict().health, Health::kHung);
  facts.hang.reset();
  facts.silent_port = 3000;
  EXPECT_FALSE(watch_.follow(facts, now_));
  EXPECT_EQ(watch_.verdict().reason, "port: refused");
}

TEST_F(HealthWatchTest, TheVerdictIsTheNewestAndIsForgottenWhenItNoLongerRuns) {
  outage();
  EXPECT_EQ(watch_.verdict().health, Health::kDegraded);
  EXPECT_EQ(watch_.verdict().reason, "database: refused");
  watch_.forget();
  EXPECT_EQ(watch_.verdict().health, Health::kHealthy);
  EXPECT_EQ(watch_.verdict().reason, "");
  follow();
  EXPECT_EQ(watch_.verdict().health, Health::kDegraded);
}

TEST_F(HealthWatchTest, AServerThatDoesNotFindBackIsRestartedOnceItsTimeIsUp) {
  outage();
  back(false);
  now_ += kReconnect - milliseconds(1);
  EXPECT_FALSE(follow());
  now_ += milliseconds(1);
  const auto report = follow();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->event.type, EventType::kRestart);
  EXPECT_EQ(report->event.cause, Cause::kDependency);
  EXPECT_EQ(report->problem, "The database is back, but the server has not become healthy within 30s")
      << "one failure is below its threshold, so that no probe is to blame";
  now_ += milliseconds(1);
  EXPECT_FALSE(follow()) << "one outage, one restart";
  now_ += 10 * kReconnect;
  EXPECT_FALSE(follow());
}

TEST_F(HealthWatchTest, TheSentenceNamesWhatIsStillWrong) {
  outage();
  testing::fail(http(), now_, Reason::kTimeout, "no answer");
  back(false);
  now_ += kReconnect;
  const auto report = follow();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->event.cause, Cause::kDependency);
  EXPECT_TRUE(report->problem.ends_with(": http: status")) << report->problem;
}

TEST_F(HealthWatchTest, AServerThatFindsBackByItselfIsLeftAlone) {
  outage();
  back(true);
  now_ += kReconnect;
  EXPECT_FALSE(follow());
  testing::fail(http(), now_);
  now_ += kReconnect;
  EXPECT_FALSE(follow()) << "it was well when its time was up";
}

TEST_F(HealthWatchTest, EveryOutageHasARestartOfItsOwnAndOnlyTheLastIsWaitedFor) {
  outage();
  back(false);
  now_ += kReconnect - milliseconds(1);
  outage();
  now_ += seconds(5);
  back(false);
  now_ += kReconnect - milliseconds(1);
  EXPECT_FALSE(follow()) << "the time of the first outage counts no more";
  now_ += milliseconds(1);
  EXPECT_TRUE(follow());
  outage();
  back(false);
  now_ += kReconnect;
  const auto report = follow();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->event.cause, Cause::kDependency);
}

TEST_F(HealthWatchTest, WithoutATimeNoOutageLeadsToARestart) {
  watch_ = HealthWatch(config(Duration{0}));
  outage();
  back(false);
  now_ += std::chrono::hours(1);
  EXPECT_FALSE(follow());
}

TEST_F(HealthWatchTest, TheOutageOfAnEarlierGenerationSaysNothingAboutThisOne) {
  outage();
  back(false);
  watch_.begin_generation();
  now_ += kReconnect;
  EXPECT_FALSE(follow());
  outage();
  back(false);
  now_ += kReconnect;
  EXPECT_TRUE(follow()) << "its own outages count";
}

}  // namespace
}  // namespace codex
