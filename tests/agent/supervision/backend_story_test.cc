#include "agent/supervision/backend_story.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/support/fake_schedule.h"
#include "tests/support/probe_attempts.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::probe_spec;

class BackendStoryTest : public ::testing::Test {
 protected:
  static Redactor knows_a_secret() {
    Redactor redactor;
    redactor.add(Secret("opensesame"));
    return redactor;
  }
  /// As an earlier agent wrote it down, `ago` by the wall's clock.
  void earlier(Duration ago, const std::string& to, const std::string& backend = "api") {
    const auto at = schedule_.wall_now() - std::chrono::duration_cast<WallTime::duration>(ago);
    events_.append({0, at, backend, "state_changed", "", to, "because", ""});
  }
  [[nodiscard]] BackendSnapshot shown() const {
    BackendSnapshot snapshot;
    story_.fill(snapshot);
    return snapshot;
  }
  /// "running 600-0": the states of the last hour, in seconds before now.
  [[nodiscard]] std::vector<std::string> states() const {
    std::vector<std::string> told;
    for (const RecentState& each : story_.recent().states) {
      told.push_back(each.state + " " + std::to_string(std::lround(each.begin_seconds_ago)) + "-" +
                     std::to_string(std::lround(each.end_seconds_ago)));
    }
    return told;
  }
  using States = std::vector<std::string>;

  TemporaryDirectory directory_;
  Worker worker_{"disk", 1000};
  RotatingFile file_{worker_, directory_ / "events.jsonl", 1 << 20, 1};
  EventHistory events_{file_};
  testing::FakeSchedule schedule_;
  Redactor redactor_ = knows_a_secret();
  Logger log_{redactor_, nullptr};
  BackendStory story_{"api", {"http", "database"}, schedule_, log_, redactor_, events_};
};

TEST_F(BackendStoryTest, AStateIsToldOnceToEverybody) {
  schedule_.pass(seconds(3));
  story_.publish("running", "ready", "started in 3.00 s");
  schedule_.pass(seconds(1));
  story_.publish("running", "recovered", "again");
  ASSERT_EQ(events_.last(), 1U);
  const LifecycleEvent event = events_.after(0).front();
  EXPECT_EQ(event.at, schedule_.wall_now() - seconds(1));
  EXPECT_EQ(event.backend, "api");
  EXPECT_EQ(event.event, "state_changed");
  EXPECT_EQ(event.from, "stopped");
  EXPECT_EQ(event.to, "running");
  EXPECT_EQ(event.reason, "ready");
  EXPECT_EQ(event.detail, "started in 3.00 s");
  EXPECT_EQ(log_.counts().at("info"), 1U);
  const auto transition = shown().last_transition;
  ASSERT_TRUE(transition);
  EXPECT_EQ(transition->at, event.at);
  EXPECT_EQ(transition->from, "stopped");
  EXPECT_EQ(transition->to, "running");
  EXPECT_EQ(transition->reason, "ready");
  EXPECT_EQ(transition->detail, "started in 3.00 s");
  EXPECT_EQ(shown().state_entries.at("running"), 1U);
  EXPECT_EQ(states(), States{"running 1-0"});
}

TEST_F(BackendStoryTest, AReasonThatIsKnownBetterIsToldOnce) {
  story_.publish("degraded", "port: refused", "nobody listens");
  const auto at = shown().last_transition->at;
  schedule_.pass(seconds(1));
  for (int i = 0; i < 2; ++i) story_.explain("wrapper_idle", "nodemon waits for an edit");
  ASSERT_EQ(events_.last(), 2U);
  const LifecycleEvent event = events_.after(1).front();
  EXPECT_EQ(event.event, "reason_changed");
  EXPECT_EQ(event.at, schedule_.wall_now());
  EXPECT_EQ(event.from, "degraded");
  EXPECT_EQ(event.to, "degraded");
  EXPECT_EQ(event.reason, "wrapper_idle");
  EXPECT_EQ(event.detail, "nodemon waits for an edit");
  EXPECT_EQ(log_.counts().at("warning"), 2U);
  EXPECT_EQ(shown().last_transition->reason, "wrapper_idle");
  EXPECT_EQ(shown().last_transition->at, at) << "the state is as old as it was";
  EXPECT_EQ(shown().state_entries.at("degraded"), 1U);
}

TEST_F(BackendStoryTest, ItIsStoppedUntilItIsSaidOtherwise) {
  story_.publish("stopped", "stop_command", "");
  EXPECT_EQ(events_.last(), 0U);
  EXPECT_FALSE(shown().last_transition);
}

TEST_F(BackendStoryTest, TroubleIsLoggedAsTrouble) {
  const std::pair<const char*, bool> levels[] = {{"starting", false}, {"running", false}, {"degraded", true},
                                                 {"hung", true},      {"backoff", true},  {"failed", true},
                                                 {"stopping", false}, {"stopped", false}};
  std::uint64_t warnings = 0, infos = 0;
  for (const auto& [state, bad] : levels) {
    story_.publish(state, "because", "");
    ++(bad ? warnings : infos);
    EXPECT_EQ(log_.counts().at("warning"), warnings) << state;
    EXPECT_EQ(log_.counts().at("info"), infos) << state;
  }
}

TEST_F(BackendStoryTest, NobodyIsToldASecretOrMoreThanCanBeShown) {
  story_.publish("failed", "crash", "password opensesame\nrefused");
  EXPECT_EQ(events_.after(0).back().detail, redactor_.safe("password opensesame\nrefused"));
  EXPECT_EQ(events_.after(0).back().detail.find("opensesame"), std::string::npos);
  EXPECT_EQ(shown().last_transition->detail, events_.after(0).back().detail);
  story_.publish("starting", "retry", std::string(512, 'x'));
  EXPECT_EQ(events_.after(0).back().detail, std::string(512, 'x'));
  story_.publish("failed", "crash", std::string(513, 'x'));
  EXPECT_EQ(events_.after(0).back().detail, std::string(509, 'x') + "...");
}

TEST_F(BackendStoryTest, TheLastHourGoesOnFromWhatEarlierAgentsWrote) {
  earlier(minutes(30), "starting");
  earlier(minutes(29), "running");
  earlier(minutes(20), "failed", "worker");
  story_.recall(true);
  EXPECT_EQ(states(), (States{"starting 1800-1740", "running 1740-0"})) << "of this backend alone";
  EXPECT_EQ(events_.last(), 3U) << "recalled, not told again";
  EXPECT_FALSE(shown().last_transition);
}

TEST_F(BackendStoryTest, AnHourIsRememberedAndNoMore) {
  earlier(hours(3), "starting");
  earlier(hours(2), "running");
  story_.recall(true);
  EXPECT_EQ(states(), States{"running 3600-0"});
}

TEST_F(BackendStoryTest, HowLongTheLastStateLastedIsKnownOfWhatLivesOrWasAtRest) {
  struct Row {
    const char* last;
    bool alive;
    States states;
  };
  const Row rows[] = {{"running", true, {"running 600-0"}},      {"running", false, {"running 600-600"}},
                      {"degraded", false, {"degraded 600-600"}}, {"backoff", false, {"backoff 600-600"}},
                      {"stopped", false, {"stopped 600-0"}},     {"failed", false, {"failed 600-0"}},
                      {"stopped", true, {"stopped 600-0"}}};
  for (const Row& row : rows) {
    const TemporaryDirectory directory;
    RotatingFile file(worker_, directory / "events.jsonl", 1 << 20, 1);
    EventHistory events(file);
    BackendStory story("api", {}, schedule_, log_, redactor_, events);
    events.append({0, schedule_.wall_now() - minutes(10), "api", "state_changed", "", row.last, "", ""});
    story.recall(row.alive);
    States told;
    for (const RecentState& each : story.recent().states) {
      told.push_back(each.state + " " + std::to_string(std::lround(each.begin_seconds_ago)) + "-" +
                     std::to_string(std::lround(each.end_seconds_ago)));
    }
    EXPECT_EQ(told, row.states) << row.last << (row.alive ? ", alive" : "");
  }
}

TEST_F(BackendStoryTest, WithoutEarlierAgentsThereIsNothingToRecall) {
  story_.recall(false);
  EXPECT_EQ(states(), States{});
  story_.agent_started();
  schedule_.pass(seconds(5));
  EXPECT_EQ(states(), States{"stopped 5-0"});
  EXPECT_EQ(story_.recent().states[0].reason, "agent_started");
}

TEST_F(BackendStoryTest, AWallClockThatWasSetBackDoesNotTurnTheStoryAround) {
  earlier(-hours(1), "starting");
  earlier(minutes(30), "running");
  story_.recall(true);
  schedule_.pass(seconds(10));
  EXPECT_EQ(states(), (States{"starting 10-10", "running 10-0"}))
      << "what would be in the future is now, and what came after it is not before it";
}

TEST_F(BackendStoryTest, AStateThatWasWrittenOutOfOrderBeginsWithTheOneBefore) {
  earlier(minutes(10), "starting");
  earlier(minutes(30), "running");
  story_.recall(true);
  EXPECT_EQ(states(), (States{"starting 600-600", "running 600-0"}));
}

TEST_F(BackendStoryTest, RecentEventsAreTheNewestTenOfThisBackend) {
  for (int i = 1; i <= 11; ++i) earlier(minutes(60 - i), std::to_string(i));
  earlier(minutes(1), "running", "worker");
  const auto events = story_.recent().events;
  ASSERT_EQ(events.size(), 10U);
  EXPECT_EQ(events.front().to, "11");
  EXPECT_EQ(events.back().to, "2");
  EXPECT_EQ(events.front().reason, "because");
}

/// The values of a series that are known.
std::vector<float> known(const RecentValues& values) {
  std::vector<float> some;
  for (const float value : values) {
    if (!std::isnan(value)) some.push_back(value);
  }
  return some;
}

TEST_F(BackendStoryTest, AnswersAndUsageOfTheLastHourAreTold) {
  ProbeTracker probe(probe_spec("database", ProbeKind::kDatabase));
  const auto note = [&](Outcome outcome, Duration elapsed) {
    ProbeResult result;
    result.outcome = outcome;
    result.elapsed = elapsed;
    probe.record(result, schedule_.now(), {});
    story_.note_answer(1, probe);
    schedule_.pass(seconds(10));
  };
  note(Outcome::kSuccess, milliseconds(250));
  note(Outcome::kFailure, seconds(5));
  note(Outcome::kUnknown, seconds(7));
  story_.note_usage(4096, std::nullopt);
  schedule_.pass(seconds(10));
  story_.note_usage(8192, 0.5);
  const auto recent = story_.recent();
  ASSERT_EQ(recent.probes.size(), 2U);
  EXPECT_EQ(recent.probes[0].name, "http");
  EXPECT_EQ(recent.probes[1].name, "database");
  EXPECT_TRUE(known(recent.probes[0].seconds).empty());
  EXPECT_EQ(known(recent.probes[1].seconds), std::vector<float>{0.25F});
  EXPECT_EQ(known(recent.probes[1].failures), std::vector<float>{1})
      << "what could not be asked is no failure";
  EXPECT_EQ(known(recent.used_memory_bytes), (std::vector<float>{4096, 8192}));
  EXPECT_EQ(known(recent.cpu_ratio), std::vector<float>{0.5F});
}

TEST_F(BackendStoryTest, ARecoveryLastsFromTheFirstTroubleUntilItIsWell) {
  story_.ill();
  schedule_.pass(seconds(5));
  story_.ill();
  schedule_.pass(seconds(2));
  story_.well();
  schedule_.pass(seconds(9));
  story_.well();
  const auto recoveries = shown().recovery_duration;
  EXPECT_EQ(recoveries.sum(), 7);
  EXPECT_EQ(std::accumulate(recoveries.counts().begin(), recoveries.counts().end(), 0U), 1U);
}

TEST_F(BackendStoryTest, TheProblemIsTheOneThatWasToldLast) {
  EXPECT_EQ(story_.problem(), "");
  story_.tell_problem("Server hung.");
  EXPECT_EQ(story_.problem(), "Server hung.");
  story_.tell_problem("");
  EXPECT_EQ(story_.problem(), "");
}

}  // namespace
}  // namespace codex
