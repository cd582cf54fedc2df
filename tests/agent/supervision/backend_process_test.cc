#include "agent/supervision/backend_process.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

#include "agent/os/process_table.h"
#include "tests/support/fake_schedule.h"
#include "tests/support/fake_tree.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Steps = std::vector<std::string>;

constexpr ProcessTree::Adoptable kLeftover{{4711, 100}, 7};

class Processes : public ::testing::Test {
 protected:
  void begin(std::optional<SavedBackend> earlier = std::nullopt) {
    process_.emplace(
        "api", std::move(earlier), schedule_, tree_, troubles_, record_, log_,
        BackendProcess::Events{.begins =
                                   [this] {
                                     tree_.done.emplace_back("begins");
                                     began_ready_.push_back(process_->adopted_ready());
                                   },
                               .begun = [this] { tree_.done.emplace_back("begun"); },
                               .exited =
                                   [this](const ExitStatus& status) {
                                     tree_.done.push_back("exited " + std::to_string(status.code) +
                                                          ", known as " + record_.describe_last_exit());
                                   },
                               .reported =
                                   [this](const Report& report) {
                                     reports_.push_back(report);
                                     if (spawns_when_told_) process_->spawn();
                                   }});
  }
  static SavedBackend saved(std::uint64_t generation, std::optional<bool> ready = std::nullopt) {
    SavedBackend earlier;
    earlier.generation = generation;
    earlier.ready = ready;
    return earlier;
  }
  Steps done() { return std::exchange(tree_.done, {}); }
  [[nodiscard]] BackendSnapshot told() const {
    BackendSnapshot snapshot;
    record_.fill(snapshot);
    process_->fill(snapshot);
    return snapshot;
  }
  [[nodiscard]] std::uint64_t warnings() const { return log_.counts().find("warning")->second; }

  Redactor redactor_;
  Logger log_{redactor_, nullptr};
  StandingTroubles troubles_{log_, redactor_, "api"};
  testing::FakeSchedule schedule_;
  testing::FakeTree tree_;
  BackendRecord record_;
  std::vector<Report> reports_;
  std::vector<bool> began_ready_;  ///< adopted_ready(), as each generation began
  bool spawns_when_told_ = false;
  std::optional<BackendProcess> process_;
};

TEST_F(Processes, AreSpawnedAfterTheLastGenerationWasForgottenAndToldWhenTheyLive) {
  begin();
  process_->spawn();
  EXPECT_EQ(done(), (Steps{"begin generation", "begins", "spawn 1", "write pid file", "begun"}));
  EXPECT_TRUE(reports_.empty());
  EXPECT_EQ(told().generation, 1U);
  EXPECT_EQ(told().starts, 1U);
  EXPECT_EQ(told().started_at, schedule_.wall_now());
  EXPECT_FALSE(process_->adopted());
  process_->spawn();
  EXPECT_EQ(done(), (Steps{"begin generation", "begins", "spawn 2", "write pid file", "begun"}));
}

TEST_F(Processes, AStrangerOnThePortIsReportedAndNothingIsSpawned) {
  begin();
  tree_.stranger = "Port 3000 is taken by pid 12 (python3).";
  process_->spawn();
  EXPECT_EQ(done(), Steps{});
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].event.type, EventType::kPortTaken);
  EXPECT_EQ(reports_[0].problem, "Port 3000 is taken by pid 12 (python3).");
  EXPECT_EQ(told().starts, 0U);
  EXPECT_EQ(process_->generation(), 0U);
}

TEST_F(Processes, ThePortIsNotLookedAtAgainInTheStepThatFoundItFree) {
  begin();
  spawns_when_told_ = true;
  process_->tree_empty(true);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].event.type, EventType::kTreeEmpty);
  EXPECT_EQ(reports_[0].problem, "");
  EXPECT_EQ(tree_.stranger_looks, 0);
  EXPECT_EQ(process_->generation(), 1U);
  spawns_when_told_ = false;
  process_->spawn();
  EXPECT_EQ(tree_.stranger_looks, 1) << "but in the next one";
  spawns_when_told_ = true;
  process_->tree_empty(false);
  EXPECT_EQ(tree_.stranger_looks, 2) << "nor was it found free";
  EXPECT_EQ(process_->generation(), 3U);
}

TEST_F(Processes, NothingIsSpawnedWhileTheLastGenerationLives) {
  begin();
  tree_.members_seen.resize(1);
  EXPECT_THROW(process_->spawn(), std::logic_error);
  EXPECT_EQ(done(), Steps{});
  EXPECT_EQ(process_->generation(), 0U);
}

TEST_F(Processes, WhatCannotBeLookedAtIsNotSpawned) {
  begin();
  tree_.members_error = std::system_error(EMFILE, std::system_category(), "open");
  EXPECT_THROW(process_->spawn(), std::system_error);
  EXPECT_EQ(done(), Steps{});
}

TEST_F(Processes, ASpawnThatFailsTellsWhetherTryingAgainMayHelp) {
  const struct {
    SpawnError error;
    bool transient, shortage;
  } cases[] = {
      {{"fork", EAGAIN, "no process"}, true, false},         {{"fork", ENOMEM, "no memory"}, true, true},
      {{"exec", EMFILE, "no descriptor"}, true, true},       {{"exec", ENFILE, "none at all"}, true, true},
      {{"exec", ENOMEM, "no memory"}, true, true},           {{"exec", ENOENT, "no such file"}, false, false},
      {{"exec", EACCES, "not for you"}, false, false},       {{"exec", EAGAIN, "of its own"}, false, false},
      {{"working directory", ENOENT, "none"}, false, false},
  };
  begin();
  std::uint64_t diagnosed = 0;
  for (const auto& [error, transient, shortage] : cases) {
    for (const bool at_once : {true, false}) {
      reports_.clear();
      if (at_once) tree_.spawn_error = error;
      process_->spawn();
      if (!at_once) process_->spawn_failed(error);
      ASSERT_EQ(reports_.size(), 1U) << error.message;
      EXPECT_EQ(reports_[0].event.type, EventType::kSpawnFailed);
      EXPECT_EQ(reports_[0].event.cause, Cause::kExecError);
      EXPECT_EQ(reports_[0].event.transient, transient) << error.stage << " " << error.message;
      EXPECT_EQ(reports_[0].event.shortage, shortage) << error.stage << " " << error.message;
      EXPECT_EQ(reports_[0].problem, "Server could not be started: " + error.message);
      diagnosed += transient ? 0 : 1;
      EXPECT_EQ(told().exit_causes.at("exec_error"), diagnosed) << error.stage << " " << error.message;
    }
  }
}

TEST_F(Processes, ASpawnThatFailsAtOnceUsesUpItsGenerationAndIsNoStart) {
  begin();
  tree_.spawn_error = SpawnError{"exec", ENOENT, "no such file"};
  process_->spawn();
  EXPECT_EQ(done(), (Steps{"begin generation", "begins"}));
  EXPECT_EQ(told().starts, 0U);
  EXPECT_EQ(told().started_at, std::nullopt);
  process_->spawn();
  EXPECT_EQ(process_->generation(), 2U);
}

TEST_F(Processes, GenerationsAreCountedOnFromTheLastAgents) {
  begin(saved(41));
  EXPECT_EQ(process_->generation(), 41U);
  process_->spawn();
  EXPECT_EQ(process_->generation(), 42U);
}

TEST_F(Processes, ALeftoverIsTakenOverUnderItsOwnNumber) {
  begin();
  tree_.leftover = kLeftover;
  EXPECT_TRUE(process_->adoptable());
  process_->adopt();
  EXPECT_EQ(done(), (Steps{"adopt 4711", "begin generation", "begins", "write pid file", "begun"}));
  EXPECT_TRUE(process_->adopted());
  EXPECT_EQ(told().generation, 7U);
  ASSERT_TRUE(told().started_at);
  EXPECT_NEAR(to_unix_seconds(*told().started_at), to_unix_seconds(wall_time_of(100)), 0.1);
  EXPECT_EQ(told().starts, 0U) << "it was started by somebody else";
  EXPECT_TRUE(reports_.empty());
  process_->spawn();
  EXPECT_EQ(process_->generation(), 8U);
  EXPECT_FALSE(process_->adopted());
  EXPECT_FALSE(process_->adopted_ready());
}

TEST_F(Processes, ALeftoverThatEndedAMomentAgoIsReportedAsACrash) {
  for (const bool gone : {true, false}) {
    begin(saved(7));
    reports_.clear();
    if (!gone) tree_.leftover = kLeftover;
    tree_.adopts = false;
    process_->adopt();
    ASSERT_EQ(reports_.size(), 1U);
    EXPECT_EQ(reports_[0].event.type, EventType::kExited);
    EXPECT_EQ(reports_[0].event.cause, Cause::kCrash);
    EXPECT_EQ(reports_[0].problem, "");
    EXPECT_EQ(done(), Steps{});
    EXPECT_FALSE(process_->adopted());
    EXPECT_EQ(schedule_.due_in("adopt"), std::nullopt) << "it will not come back";
  }
}

TEST_F(Processes, ALeftoverThatCannotBeLookedAtIsTriedAgainAfterATenthOfASecond) {
  begin();
  tree_.leftover = kLeftover;
  tree_.error = std::system_error(EMFILE, std::system_category(), "open");
  process_->adopt();
  EXPECT_EQ(schedule_.due_in("adopt"), milliseconds(100));
  schedule_.pass(seconds(1));
  EXPECT_TRUE(reports_.empty()) << "what may be well is not called dead";
  EXPECT_EQ(warnings(), 1U) << "told once";
  EXPECT_EQ(done(), Steps{});
  tree_.error.reset();
  schedule_.pass(milliseconds(99));
  EXPECT_FALSE(process_->adopted());
  schedule_.pass(milliseconds(1));
  EXPECT_TRUE(process_->adopted());
  EXPECT_EQ(schedule_.due_in("adopt"), std::nullopt);
}

TEST_F(Processes, AnAdoptionThatIsNotWantedAnyMoreIsNotTriedAgain) {
  begin();
  tree_.leftover = kLeftover;
  tree_.error = std::system_error(EMFILE, std::system_category(), "open");
  process_->adopt();
  process_->give_up_adopting();
  tree_.error.reset();
  schedule_.pass(seconds(10));
  EXPECT_FALSE(process_->adopted());
  EXPECT_EQ(done(), Steps{});
}

TEST_F(Processes, WhetherALeftoverWasReadyIsAsWrittenDownOrElseAsItsPortSays) {
  PortSnapshot ours;
  ours.ours = true;
  const PortSnapshot not_ours;
  const struct {
    std::optional<SavedBackend> earlier;
    std::optional<PortSnapshot> port;
    bool can_be_asked, ready;
    const char* why;
  } cases[] = {
      {saved(7, true), not_ours, true, true, "written down: it was"},
      {saved(7, false), ours, true, false, "written down: it was not"},
      {saved(7), ours, true, true, "nobody wrote that down, it listens"},
      {saved(7), not_ours, true, false, "nobody wrote that down, it does not listen"},
      {saved(6, true), not_ours, true, false, "said of the one before"},
      {saved(8, false), ours, true, true, "said of the one after"},
      {std::nullopt, ours, true, true, "no state, it listens"},
      {std::nullopt, not_ours, true, false, "no state, it does not listen"},
      {std::nullopt, std::nullopt, true, true, "no state, no port"},
      {std::nullopt, not_ours, false, true, "no state, a port that cannot be asked"},
  };
  tree_.leftover = kLeftover;
  for (const auto& [earlier, port, can_be_asked, ready, why] : cases) {
    begin(earlier);
    tree_.port_seen = port;
    tree_.port_can_be_asked = can_be_asked;
    process_->adopt();
    EXPECT_EQ(process_->adopted_ready(), ready) << why;
  }
}

TEST_F(Processes, WhatIsSpawnedAfterAnAdoptedOneBeginsAsNothingThatWasReady) {
  begin(saved(7, true));
  tree_.leftover = kLeftover;
  process_->adopt();
  EXPECT_TRUE(process_->adopted_ready());
  process_->spawn();
  EXPECT_EQ(began_ready_, (std::vector<bool>{true, false}));
  EXPECT_FALSE(process_->adopted());
}

TEST_F(Processes, ASpawnThatFailsAfterAnAdoptedOneIsNotTakenForIt) {
  begin(saved(7, true));
  tree_.leftover = kLeftover;
  process_->adopt();
  tree_.spawn_error = SpawnError{"exec", ENOENT, "no such program"};
  process_->spawn();
  EXPECT_FALSE(process_->adopted());
  EXPECT_FALSE(process_->adopted_ready());
}

TEST_F(Processes, WhatAnEarlierAgentToldToEndIsNotTakenOver) {
  SavedBackend earlier = saved(7);
  begin(earlier);
  EXPECT_FALSE(process_->adoptable()) << "nothing is left";
  tree_.leftover = kLeftover;
  EXPECT_TRUE(process_->adoptable());
  earlier.stopping = true;
  begin(earlier);
  EXPECT_FALSE(process_->adoptable());
  process_->ended();
  EXPECT_TRUE(process_->adoptable()) << "what it was told about has ended";
  begin(earlier);
  tree_.spawn_error = SpawnError{"exec", ENOENT, "no such file"};
  process_->spawn();
  EXPECT_FALSE(process_->adoptable()) << "nothing took its place";
  process_->spawn();
  EXPECT_TRUE(process_->adoptable());
}

TEST_F(Processes, UptimeCountsFromTheMomentItIsReady) {
  begin();
  process_->spawn();
  schedule_.pass(seconds(3));
  EXPECT_EQ(told().uptime_seconds, std::nullopt);
  process_->ready();
  EXPECT_EQ(told().uptime_seconds, 0.0);
  schedule_.pass(seconds(5));
  EXPECT_EQ(told().uptime_seconds, 5.0);
}

TEST_F(Processes, UptimeOfAnAdoptedOneCountsFromItsStart) {
  schedule_.wall_at_first = wall_time_of(100) + seconds(300);
  begin();
  tree_.leftover = kLeftover;
  process_->adopt();
  schedule_.pass(seconds(1));
  EXPECT_EQ(told().uptime_seconds, std::nullopt) << "not before it is known to be ready";
  process_->ready();
  EXPECT_NEAR(told().uptime_seconds.value_or(0), 301, 0.1);
  schedule_.pass(seconds(5));
  EXPECT_NEAR(told().uptime_seconds.value_or(0), 306, 0.1);
}

TEST_F(Processes, AnAdoptedOneHasTheTimesThatTheEarlierAgentTold) {
  SavedBackend earlier = saved(kLeftover.generation, true);
  earlier.started_at = schedule_.wall_now() - std::chrono::seconds(300);
  earlier.running_since = schedule_.now() - seconds(290);
  begin(earlier);
  tree_.leftover = kLeftover;
  process_->adopt();
  process_->ready();
  EXPECT_EQ(told().started_at, earlier.started_at);
  EXPECT_EQ(told().uptime_seconds, 290.0);
  SavedBackend next;
  process_->save(next);
  EXPECT_EQ(next.started_at, earlier.started_at);
  EXPECT_EQ(next.running_since, earlier.running_since);
}

TEST_F(Processes, OfWhatHasEndedOnlyTheNumberIsLeft) {
  begin();
  process_->spawn();
  process_->ready();
  done();
  process_->ended();
  EXPECT_EQ(done(), Steps{"remove pid file"});
  EXPECT_EQ(told().started_at, std::nullopt);
  EXPECT_EQ(told().uptime_seconds, std::nullopt);
  EXPECT_EQ(told().generation, 1U);
}

TEST_F(Processes, AnExitIsDrainedAndRecordedBeforeItIsTold) {
  begin();
  process_->spawn();
  done();
  schedule_.pass(seconds(9));
  process_->leader_exited({.code = 3});
  EXPECT_EQ(done(), (Steps{"drain", "exited 3, known as exit code 3"}));
  ASSERT_TRUE(told().last_exit);
  EXPECT_EQ(told().last_exit->at, schedule_.wall_now());
  EXPECT_EQ(told().exits.at("exit_nonzero"), 1U);
  process_->leader_exited({.signal = SIGKILL});
  EXPECT_EQ(done(), (Steps{"drain", "exited 0, known as signal SIGKILL"}));
  EXPECT_TRUE(reports_.empty()) << "what it means is for others to say";
}

}  // namespace
}  // namespace codex
