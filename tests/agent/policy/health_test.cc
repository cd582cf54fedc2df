#include "agent/policy/health.h"

#include <gtest/gtest.h>

#include "tests/support/probe_attempts.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ProbeTracker tracker(std::string name, ProbeKind kind, ProbeRole role, int threshold = 3) {
  ProbeSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.role = role;
  spec.failure_threshold = threshold;
  return ProbeTracker(spec);
}

struct Probes {
  std::vector<ProbeTracker> all{tracker("http", ProbeKind::kHttp, ProbeRole::kLiveness),
                                tracker("database", ProbeKind::kDatabase, ProbeRole::kReadiness)};
  TimePoint now{seconds(100)};

  Probes& http(Outcome outcome, int times = 1) { return record(0, outcome, Reason::kStatus, times); }
  Probes& database(Outcome outcome, int times = 1) { return record(1, outcome, Reason::kRefused, times); }
  Probes& record(std::size_t index, Outcome outcome, Reason reason, int times) {
    for (int i = 0; i < times; ++i) {
      ProbeResult result;
      result.outcome = outcome;
      result.reason = outcome == Outcome::kFailure ? reason : Reason::kNone;
      all[index].record(result, now += seconds(1), {});
    }
    return *this;
  }
  HealthVerdict judge() const { return judge_probes(all); }
};

TEST(Health, BelowTheThresholdNothingHappens) {
  Probes probes;
  probes.database(Outcome::kSuccess).http(Outcome::kFailure, 2);
  EXPECT_EQ(probes.judge().health, Health::kHealthy);
  EXPECT_FALSE(probes.judge().restart);
}

TEST(Health, LivenessAtTheThresholdAsksForARestartWhenTheDatabaseIsKnownToBeWell) {
  Probes probes;
  probes.database(Outcome::kSuccess).http(Outcome::kFailure, 3).database(Outcome::kSuccess);
  EXPECT_TRUE(probes.judge().restart);
  EXPECT_EQ(probes.judge().reason, "http: status");
}

TEST(Health, LivenessIsHeldUntilTheDatabaseWasAskedAfterTheFailuresBegan) {
  Probes probes;
  probes.database(Outcome::kSuccess).http(Outcome::kFailure, 3);
  EXPECT_FALSE(probes.judge().restart) << "the last good database answer is older than the failures";
  EXPECT_EQ(probes.judge().health, Health::kDegraded);
}

TEST(Health, LivenessIsHeldWhileTheDatabaseFails) {
  Probes probes;
  probes.http(Outcome::kFailure, 3).database(Outcome::kFailure, 1);
  EXPECT_FALSE(probes.judge().restart)
      << "one failure is below the database's threshold, but it may be the cause";
  probes.database(Outcome::kFailure, 2).http(Outcome::kFailure, 10);
  EXPECT_FALSE(probes.judge().restart);
  EXPECT_EQ(probes.judge().reason, "database: refused");
}

TEST(Health, WhatIsForgivenDegradesAndLivenessMustReachItsThresholdAnew) {
  Probes probes;
  probes.database(Outcome::kSuccess).http(Outcome::kFailure, 5).database(Outcome::kSuccess);
  probes.all[0].forgive(probes.now + milliseconds(1));
  EXPECT_FALSE(probes.judge().restart) << "all of these failures are from a hang that is over";
  EXPECT_EQ(probes.judge().health, Health::kDegraded);
  probes.http(Outcome::kFailure, 2).database(Outcome::kSuccess);
  EXPECT_FALSE(probes.judge().restart) << "two new failures are below the threshold of three";
  probes.http(Outcome::kFailure).database(Outcome::kSuccess);
  EXPECT_TRUE(probes.judge().restart);
}

TEST(Health, AnAttemptThatBeganBeforeThePardonCountsNoMoreThanThoseThatEnded) {
  Probes probes;
  probes.database(Outcome::kSuccess);
  probes.all[0].forgive(probes.now + seconds(2));
  probes.http(Outcome::kFailure, 4).database(Outcome::kSuccess);
  EXPECT_TRUE(probes.judge().restart) << "three began at two seconds or later";
  probes.all[0].forgive(probes.now - seconds(2));
  probes.http(Outcome::kFailure, 2).database(Outcome::kSuccess);
  EXPECT_FALSE(probes.judge().restart);
}

TEST(Health, AnOverloadedBackendIsToldAndNeverRestarted) {
  Probes probes;
  probes.database(Outcome::kSuccess);
  for (int i = 0; i < 10; ++i) {
    probes.record(0, Outcome::kFailure, Reason::kTimeout, 1).database(Outcome::kSuccess);
    probes.all[0].forgive(probes.now, ProbeTracker::Excuse{"overloaded", "uses 98 % of a CPU"});
  }
  EXPECT_EQ(probes.judge().health, Health::kDegraded);
  EXPECT_EQ(probes.judge().reason, "overloaded");
  EXPECT_EQ(probes.judge().detail, "uses 98 % of a CPU; http: timeout");
  EXPECT_FALSE(probes.judge().restart);
  probes.record(0, Outcome::kFailure, Reason::kTimeout, 3).database(Outcome::kSuccess);
  EXPECT_EQ(probes.judge().reason, "http: timeout") << "it has time again, and does not answer";
  EXPECT_TRUE(probes.judge().restart);
}

TEST(Health, AfterAnOutageLivenessMustReachItsThresholdAnew) {
  Probes probes;
  probes.database(Outcome::kFailure, 3).http(Outcome::kFailure, 5).database(Outcome::kSuccess);
  EXPECT_FALSE(probes.judge().restart) << "all of these failures are from the outage";
  probes.http(Outcome::kFailure, 2).database(Outcome::kSuccess);
  EXPECT_FALSE(probes.judge().restart) << "two new failures are below the threshold of three";
  probes.http(Outcome::kFailure).database(Outcome::kSuccess);
  EXPECT_TRUE(probes.judge().restart);
}

TEST(Health, DatabaseFailureDegradesAndRecoversByItself) {
  Probes probes;
  probes.http(Outcome::kSuccess).database(Outcome::kFailure, 3);
  EXPECT_EQ(probes.judge().health, Health::kDegraded);
  probes.database(Outcome::kSuccess);
  EXPECT_EQ(probes.judge().health, Health::kHealthy);
}

TEST(Health, UnknownOutcomesNeverCount) {
  Probes probes;
  probes.database(Outcome::kSuccess).http(Outcome::kUnknown, 50).database(Outcome::kUnknown, 50);
  EXPECT_EQ(probes.judge().health, Health::kHealthy);
  EXPECT_EQ(probes.all[0].snapshot().attempts, 0U);
}

enum class Seen { kWell, kDatabaseFails, kLivenessFails };

std::vector<ProbeTracker> probes_that(Seen seen) {
  std::vector<ProbeTracker> all{tracker("http", ProbeKind::kHttp, ProbeRole::kLiveness),
                                tracker("database", ProbeKind::kDatabase, ProbeRole::kReadiness)};
  const TimePoint now{seconds(100)};
  if (seen == Seen::kDatabaseFails) {
    testing::succeed(all[0], now);
    testing::fail(all[1], now, Reason::kRefused, "nobody listens on port 5432");
    return all;
  }
  testing::succeed(all[1], now);
  if (seen == Seen::kLivenessFails) testing::fail(all[0], now + seconds(1), Reason::kStatus, "GET / 503");
  testing::succeed(all[1], now + seconds(10));
  return all;
}

/// What judge_health() is to answer; without a word of its own it is well.
struct Verdict {
  Health health = Health::kHealthy;
  std::string reason, detail;
  bool restart = false;
};

struct Known {
  Seen seen;
  bool hang, helpless, idle, undecided, silent;
  const Verdict& expected;
};

const ConfirmedHang kSpins{"spin", "its loop is busy", false};
const ConfirmedHang kWaitsForDatabase{"db_wait", "waits for 127.0.0.1:5432", true, true};

const Verdict kAllWell;
const Verdict kHung{Health::kHung, "hang: spin", "its loop is busy", false};
const Verdict kHungAndLifeless{Health::kHung, "hang: spin", "its loop is busy", true};
const Verdict kHelpless{Health::kDegraded, "hang: db_wait", "waits for 127.0.0.1:5432", false};
const Verdict kIdle{Health::kDegraded, "wrapper_idle", "the application has ended", false};
const Verdict kNoDatabase{Health::kDegraded, "database: refused", "nobody listens on port 5432", false};
const Verdict kLifeless{Health::kDegraded, "http: status", "GET / 503", true};
const Verdict kLifelessButWait{Health::kDegraded, "http: status", "GET / 503", false};
const Verdict kSilent{Health::kDegraded, "port: refused", "nothing of ours listens on port 3000", false};

// Everything alone, every pair, and all together. Columns: hang, helpless, idle, undecided, silent.
const Known kKnown[] = {
    {Seen::kWell, false, false, false, false, false, kAllWell},
    {Seen::kWell, true, false, false, false, false, kHung},
    {Seen::kWell, true, true, false, false, false, kHelpless},
    {Seen::kWell, false, false, true, false, false, kIdle},
    {Seen::kWell, false, false, false, true, false, kAllWell},
    {Seen::kWell, false, false, false, false, true, kSilent},
    {Seen::kDatabaseFails, false, false, false, false, false, kNoDatabase},
    {Seen::kLivenessFails, false, false, false, false, false, kLifeless},

    {Seen::kWell, true, false, true, false, false, kHung},
    {Seen::kWell, true, false, false, true, false, kHung},
    {Seen::kWell, true, false, false, false, true, kHung},
    {Seen::kWell, true, true, true, false, false, kHelpless},
    {Seen::kWell, true, true, false, true, false, kHelpless},
    {Seen::kWell, true, true, false, false, true, kHelpless},
    {Seen::kWell, false, false, true, true, false, kIdle},
    {Seen::kWell, false, false, true, false, true, kIdle},
    {Seen::kWell, false, false, false, true, true, kSilent},

    {Seen::kDatabaseFails, true, false, false, false, false, kHung},
    {Seen::kDatabaseFails, true, true, false, false, false, kNoDatabase},
    {Seen::kDatabaseFails, false, false, true, false, false, kIdle},
    {Seen::kDatabaseFails, false, false, false, true, false, kNoDatabase},
    {Seen::kDatabaseFails, false, false, false, false, true, kNoDatabase},

    {Seen::kLivenessFails, true, false, false, false, false, kHungAndLifeless},
    {Seen::kLivenessFails, true, false, false, true, false, kHung},
    {Seen::kLivenessFails, true, false, true, false, false, kHung},
    {Seen::kLivenessFails, true, true, false, false, false, kHelpless},
    {Seen::kLivenessFails, false, false, true, false, false, kIdle},
    {Seen::kLivenessFails, false, false, false, true, false, kLifelessButWait},
    {Seen::kLivenessFails, false, false, false, false, true, kLifeless},

    {Seen::kLivenessFails, false, false, false, true, true, kLifelessButWait},
    {Seen::kLivenessFails, false, false, true, true, true, kIdle},
    {Seen::kDatabaseFails, true, true, true, true, true, kIdle},
    {Seen::kLivenessFails, true, false, true, true, true, kHung},
};

TEST(JudgeHealth, TheStrongestThatIsKnownNamesTheCause) {
  for (const Known& known : kKnown) {
    SCOPED_TRACE(::testing::Message() << "row " << &known - kKnown << ": probes " << int(known.seen));
    const auto probes = probes_that(known.seen);
    HealthFacts facts{probes};
    if (known.idle) facts.idle_wrapper = "the application has ended";
    facts.undecided = known.undecided;
    if (known.hang) facts.hang = known.helpless ? kWaitsForDatabase : kSpins;
    if (known.silent) facts.silent_port = 3000;
    const HealthVerdict verdict = judge_health(facts);
    EXPECT_EQ(to_string(verdict.health), to_string(known.expected.health));
    EXPECT_EQ(verdict.reason, known.expected.reason);
    EXPECT_EQ(verdict.detail, known.expected.detail);
    EXPECT_EQ(verdict.restart, known.expected.restart);
  }
}

TEST(JudgeHealth, SomeOfSeveralWorkersDegradeAndHoldNoRestart) {
  const std::string one = "1 of 3 workers: spin, pid 12";
  for (const auto seen : {Seen::kWell, Seen::kDatabaseFails, Seen::kLivenessFails}) {
    const auto probes = probes_that(seen);
    HealthFacts facts{probes};
    facts.stuck_workers = one;
    const auto verdict = judge_health(facts);
    EXPECT_EQ(verdict.health, Health::kDegraded);
    EXPECT_EQ(verdict.restart, seen == Seen::kLivenessFails);
    EXPECT_EQ(verdict.reason == one, seen != Seen::kLivenessFails);
    facts.hang = kSpins;
    EXPECT_EQ(judge_health(facts).reason, "hang: spin") << "all of them are worse";
  }
}

TEST(JudgeHealth, LivenessHasItsTurnWhateverHangsButForAReasonThatExcusesIt) {
  const auto probes = probes_that(Seen::kLivenessFails);
  const auto restarts = [&probes](const ConfirmedHang& hang) {
    HealthFacts facts{probes};
    facts.hang = hang;
    return judge_health(facts).restart;
  };
  EXPECT_TRUE(restarts({"sync_child", "waits for a child", false}));
  EXPECT_TRUE(restarts({"upstream", "waits for 10.0.0.1:80", true, false})) << "helpless is no excuse";
  EXPECT_FALSE(restarts({"paused", "a debugger holds it", true, true}));
}

TEST(ProbeTracker, FailuresByReasonNeverExceedAttempts) {
  Probes probes;
  probes.http(Outcome::kFailure, 4).http(Outcome::kSuccess, 3).http(Outcome::kUnknown, 2);
  const auto snapshot = probes.all[0].snapshot();
  std::uint64_t failures = 0;
  for (const auto& [reason, count] : snapshot.failures) failures += count;
  EXPECT_EQ(snapshot.attempts, 7U);
  EXPECT_EQ(failures, 4U);
  EXPECT_EQ(snapshot.failures.size(), std::size(kFailureReasons));
  EXPECT_EQ(snapshot.failures.at("status"), 4U);
}

TEST(ProbeTracker, SuccessThresholdHoldsTheVerdictUntilEnoughSuccesses) {
  ProbeSpec spec;
  spec.name = "ready";
  spec.failure_threshold = 1;
  spec.success_threshold = 2;
  ProbeTracker probe(spec);
  ProbeResult bad, good;
  bad.outcome = Outcome::kFailure;
  bad.reason = Reason::kTimeout;
  good.outcome = Outcome::kSuccess;
  probe.record(bad, TimePoint{}, {});
  EXPECT_TRUE(probe.failing());
  probe.record(good, TimePoint{}, {});
  EXPECT_TRUE(probe.failing());
  probe.record(good, TimePoint{}, {});
  EXPECT_FALSE(probe.failing());
}

TEST(ProbeTracker, ANewGenerationForgetsTheVerdictAndKeepsTheCounters) {
  Probes probes;
  probes.http(Outcome::kFailure, 3);
  EXPECT_TRUE(probes.all[0].failing());
  probes.all[0].begin_generation();
  EXPECT_FALSE(probes.all[0].failing());
  EXPECT_EQ(probes.all[0].snapshot().attempts, 3U);
  EXPECT_EQ(probes.all[0].snapshot().consecutive_failures, 0);
}

}  // namespace
}  // namespace codex
