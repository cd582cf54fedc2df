#include "agent/supervision/awaited_condition.h"

#include <gtest/gtest.h>

#include "tests/support/fake_schedule.h"
#include "tests/support/fake_tree.h"
#include "tests/support/probe_attempts.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::probe_spec;

/// Says what the test wants it to.
struct FakeChanges : ProjectChanges {
  explicit FakeChanges(Events told) : events(std::move(told)) {}
  void start() override { ++starts, started = true; }
  void stop() override { started = false; }
  [[nodiscard]] const std::string& limited() const override { return limit; }

  void become_limited(std::string why) {
    limit = std::move(why);
    events.limited();
  }

  Events events;
  std::string limit;
  int starts = 0;
  bool started = false;
};

class AwaitedConditionTest : public ::testing::Test {
 protected:
  void make(Duration retry_interval) {
    condition_ = std::make_unique<AwaitedCondition>(
        "api", retry_interval, probes_, lifecycle_, schedule_, tree_, log_, redactor_,
        [this](ProjectChanges::Events events) {
          auto made = std::make_unique<FakeChanges>(std::move(events));
          changes_ = made.get();
          return made;
        },
        AwaitedCondition::Hands{.ask_database = [this] { ++asked_; }, .come = [this] { ++come_; }});
  }
  void SetUp() override {
    make(minutes(5));
    lifecycle_.on({EventType::kStart}, schedule_.now());
    lifecycle_.on({EventType::kReady}, schedule_.now());
  }
  /// It has ended, and the next start lacks `what`.
  void await(Await what) {
    lifecycle_.on({EventType::kExited, Cause::kCrash, what}, schedule_.now());
    lifecycle_.on({EventType::kTreeEmpty}, schedule_.now());
    ASSERT_EQ(lifecycle_.awaiting(), what);
    condition_->begin();
  }
  void somebody_listens(bool listens) {
    tree_.port_seen.emplace();
    tree_.port_seen->listening = listens;
  }
  [[nodiscard]] std::optional<Duration> next_look() const { return schedule_.due_in("await"); }

  testing::FakeSchedule schedule_;
  testing::FakeTree tree_;
  Redactor redactor_;
  Logger log_{redactor_, nullptr};
  Lifecycle lifecycle_{LifecycleConfig{}, 1};
  std::vector<ProbeTracker> probes_{ProbeTracker(probe_spec("http", ProbeKind::kHttp)),
                                    ProbeTracker(probe_spec("database", ProbeKind::kDatabase)),
                                    ProbeTracker(probe_spec("reports", ProbeKind::kDatabase))};
  FakeChanges* changes_ = nullptr;
  int asked_ = 0, come_ = 0;
  std::unique_ptr<AwaitedCondition> condition_;
};

TEST_F(AwaitedConditionTest, WhereNothingIsAwaitedNothingIsLookedFor) {
  somebody_listens(false);
  for (ProbeTracker& probe : probes_) testing::succeed(probe, schedule_.now());
  condition_->begin();
  condition_->follow();
  EXPECT_EQ(changes_->starts, 0);
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(next_look(), std::nullopt);
  EXPECT_EQ(come_, 0);
}

TEST_F(AwaitedConditionTest, AFileThatChangesIsWaitedForWithoutAClock) {
  await(Await::kChange);
  EXPECT_TRUE(changes_->started);
  EXPECT_EQ(next_look(), std::nullopt);
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(come_, 0);
  changes_->events.changed();
  EXPECT_EQ(come_, 1);
  EXPECT_EQ(log_.counts().at("info"), 1U) << "it is told what has come";
}

TEST_F(AwaitedConditionTest, WhereAnEditMayBeMissedItIsTriedByTheClockAsWell) {
  await(Await::kChange);
  schedule_.pass(seconds(1));
  changes_->become_limited("too many directories");
  EXPECT_EQ(log_.counts().at("warning"), 1U);
  EXPECT_EQ(next_look(), minutes(5));
  schedule_.pass(minutes(5) - milliseconds(1));
  EXPECT_EQ(come_, 0);
  schedule_.pass(milliseconds(1));
  EXPECT_EQ(come_, 1);
}

TEST_F(AwaitedConditionTest, WithoutARetryOnlyAnEditCounts) {
  make(Duration{0});
  await(Await::kChange);
  changes_->become_limited("too many directories");
  EXPECT_EQ(log_.counts().at("warning"), 1U) << "told all the same";
  EXPECT_EQ(next_look(), std::nullopt);
  schedule_.pass(std::chrono::hours(24));
  EXPECT_EQ(come_, 0);
  changes_->events.changed();
  EXPECT_EQ(come_, 1);
}

TEST_F(AwaitedConditionTest, AnAnswerOfAProbeIsNoFileThatChanges) {
  await(Await::kChange);
  changes_->become_limited("too many directories");
  for (ProbeTracker& probe : probes_) testing::succeed(probe, schedule_.now());
  condition_->follow();
  EXPECT_EQ(come_, 0);
}

TEST_F(AwaitedConditionTest, TheDatabaseHasComeWhenEveryProbeOfOneSucceeds) {
  await(Await::kDatabase);
  EXPECT_EQ(asked_, 1) << "its probes do not ask by themselves while nothing runs";
  EXPECT_FALSE(changes_->started);
  EXPECT_EQ(next_look(), std::nullopt);
  condition_->follow();
  EXPECT_EQ(come_, 0) << "nobody has answered";
  testing::succeed(probes_[0], schedule_.now());
  testing::succeed(probes_[1], schedule_.now());
  condition_->follow();
  EXPECT_EQ(come_, 0) << "one is still missing";
  testing::fail(probes_[0], schedule_.now());
  testing::succeed(probes_[2], schedule_.now());
  condition_->follow();
  EXPECT_EQ(come_, 1) << "what asks the backend itself cannot succeed";
}

TEST_F(AwaitedConditionTest, ADatabaseThatFailsAgainHasNotCome) {
  await(Await::kDatabase);
  testing::succeed(probes_[1], schedule_.now());
  testing::succeed(probes_[2], schedule_.now());
  ProbeResult failure;
  failure.outcome = Outcome::kFailure;
  probes_[1].record(failure, schedule_.now(), {});
  condition_->follow();
  EXPECT_EQ(come_, 0) << "also below its threshold";
}

TEST_F(AwaitedConditionTest, ThePortIsLookedAtOftenUntilItIsFree) {
  somebody_listens(true);
  await(Await::kPort);
  EXPECT_EQ(next_look(), milliseconds(200));
  schedule_.pass(seconds(10));
  EXPECT_EQ(come_, 0);
  somebody_listens(false);
  schedule_.pass(milliseconds(199));
  EXPECT_EQ(come_, 0);
  schedule_.pass(milliseconds(1));
  EXPECT_EQ(come_, 1);
}

TEST_F(AwaitedConditionTest, APortThatCannotBeAskedIsNotFreeAndIsAskedAgain) {
  somebody_listens(false);
  tree_.port_can_be_asked = false;
  await(Await::kPort);
  schedule_.pass(seconds(10));
  EXPECT_EQ(come_, 0) << "the last look may be outdated";
  EXPECT_EQ(next_look(), milliseconds(200));
  tree_.port_can_be_asked = true;
  schedule_.pass(milliseconds(200));
  EXPECT_EQ(come_, 1);
}

TEST_F(AwaitedConditionTest, AfterTheEndNothingIsLookedFor) {
  somebody_listens(false);
  await(Await::kPort);
  condition_->end();
  EXPECT_EQ(next_look(), std::nullopt);
  schedule_.pass(seconds(10));
  EXPECT_EQ(come_, 0);
}

TEST_F(AwaitedConditionTest, TheEndOfAWaitForAFileEndsItsWatchAndItsClock) {
  await(Await::kChange);
  changes_->become_limited("too many directories");
  condition_->end();
  EXPECT_FALSE(changes_->started);
  EXPECT_EQ(next_look(), std::nullopt);
}

}  // namespace
}  // namespace codex
