#include <system_error>

#include "tests/agent/supervision/application_watch_fixture.h"

/// ApplicationWatch: an application ends below a wrapper that lives on.

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kGone = "the application has ended, and what started it lives on";

class IdleWrapper : public testing::ApplicationWatchFixture {
 protected:
  void wait_for_edits() {
    config_.restart.on_wrapper_idle = WrapperIdleAction::kWait;
    make();
  }
  [[nodiscard]] std::optional<Duration> next_look() const { return schedule_.due_in("idle_wrapper"); }
};

TEST_F(IdleWrapper, IsFoundWhenNothingNewHasComeForASecond) {
  run();
  EXPECT_FALSE(watch_->undecided());
  EXPECT_EQ(next_look(), std::nullopt);
  server_ends();
  EXPECT_TRUE(watch_->undecided());
  EXPECT_EQ(changed_, 1);
  EXPECT_EQ(next_look(), milliseconds(100));
  schedule_.pass(milliseconds(999));
  EXPECT_EQ(watch_->idle(), "");
  EXPECT_TRUE(ended_.empty());
  schedule_.pass(milliseconds(1));
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].event.type, EventType::kExited);
  EXPECT_EQ(ended_[0].event.cause, Cause::kWrapperIdle);
  EXPECT_EQ(ended_[0].event.await, Await::kNone);
  EXPECT_EQ(ended_[0].problem, "Server has ended, and what started it lives on.");
  EXPECT_EQ(watch_->idle(), "") << "it has been dealt with";
  EXPECT_EQ(diagnosed(Cause::kWrapperIdle), 1U);
  EXPECT_EQ(next_look(), std::nullopt);
}

TEST_F(IdleWrapper, IsToldWithWhatTheApplicationWroteAndWithoutItsSecrets) {
  ask_database();
  make();
  run();
  const std::string refused = testing::kRefused;
  says(refused + " opensesame");
  server_ends();
  schedule_.pass(seconds(1));
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].problem, "Server has ended, and what started it lives on: " + refused + " ***.");
  EXPECT_EQ(ended_[0].event.cause, Cause::kWrapperIdle) << "the wrapper is what has to be restarted";
}

TEST_F(IdleWrapper, IsLeftAloneForEverWhereThatIsWanted) {
  wait_for_edits();
  run();
  server_ends();
  changed_ = 0;
  schedule_.pass(milliseconds(999));
  const int undecided = changed_;
  schedule_.pass(milliseconds(1));
  EXPECT_EQ(watch_->idle(), kGone);
  EXPECT_EQ(changed_, undecided + 1);
  EXPECT_EQ(diagnosed(Cause::kWrapperIdle), 1U);
  schedule_.pass(std::chrono::hours(24));
  watch_->look();
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(watch_->idle(), kGone);
  EXPECT_EQ(diagnosed(Cause::kWrapperIdle), 1U) << "one end, counted once";
}

TEST_F(IdleWrapper, IsRestartedWhateverIsSaidWhereTheCodeHasBeenGood) {
  run();
  says(testing::kMissingModule);
  says(testing::kNodemonWaits);
  server_ends();
  schedule_.pass(seconds(1));
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].event.cause, Cause::kWrapperIdle);
  EXPECT_EQ(ended_[0].event.await, Await::kNone);
  EXPECT_EQ(ended_[0].problem,
            "Server has ended, and nodemon waits for an edit: " + std::string(testing::kMissingModule) + ".");
}

TEST_F(IdleWrapper, IsLeftAloneWhereSomethingNewHasEndedAsWell) {
  run();
  server_ends();
  says(testing::kMissingModule);
  tree_.members_seen = {process(10), process(30)};
  watch_->look();
  tree_.members_seen = {process(10)};
  schedule_.pass(seconds(2));
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(watch_->idle(), kGone + ": " + testing::kMissingModule);
}

TEST_F(IdleWrapper, IsLeftAloneUntilTheRetryWhereOnlyAnEditHelps) {
  run();
  says(testing::kEdited);
  says(testing::kMissingModule);
  server_ends();
  schedule_.pass(seconds(1));
  EXPECT_TRUE(ended_.empty());
  const std::string idle = kGone + ": " + testing::kMissingModule;
  EXPECT_EQ(watch_->idle(), idle);
  EXPECT_EQ(diagnosed(Cause::kWrapperIdle), 1U);
  schedule_.pass(minutes(5) - seconds(1) - milliseconds(1));
  watch_->look();
  EXPECT_TRUE(ended_.empty());
  schedule_.pass(milliseconds(1));
  watch_->look();
  ASSERT_EQ(ended_.size(), 1U) << "the wrapper may have missed the edit";
  EXPECT_EQ(ended_[0].event.cause, Cause::kWrapperIdle);
  EXPECT_EQ(ended_[0].problem,
            "Server has ended, and what started it lives on: " + std::string(testing::kMissingModule) + ".");
  EXPECT_EQ(watch_->idle(), "");
}

TEST_F(IdleWrapper, IsLeftAloneForEverWithoutARetry) {
  config_.restart.retry_interval = Duration{0};
  make();
  run();
  says(testing::kEdited);
  says(testing::kMissingModule);
  server_ends();
  schedule_.pass(std::chrono::hours(24));
  watch_->look();
  EXPECT_NE(watch_->idle(), "");
  EXPECT_TRUE(ended_.empty());
}

TEST_F(IdleWrapper, IsIdleNoMoreWhenAnEditHasBroughtANewServer) {
  wait_for_edits();
  run();
  server_ends();
  schedule_.pass(seconds(1));
  ASSERT_EQ(watch_->idle(), kGone);
  tree_.members_seen = {process(10), process(30)};
  watch_->look();
  EXPECT_EQ(watch_->idle(), kGone) << "what is new does not listen yet";
  EXPECT_EQ(forgiven_, 0);
  listen(30);
  watch_->look();
  EXPECT_EQ(watch_->idle(), "");
  EXPECT_EQ(forgiven_, 1);
  EXPECT_FALSE(watch_->undecided());
  watch_->look();
  EXPECT_EQ(forgiven_, 1) << "once";
}

TEST_F(IdleWrapper, AReloadIsNoEndAndForgivesNothing) {
  run();
  server_ends();
  schedule_.pass(milliseconds(500));
  tree_.members_seen = {process(10), process(30)};
  schedule_.pass(seconds(3));
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(watch_->idle(), "");
  listen(30);
  watch_->look();
  EXPECT_EQ(forgiven_, 0);
  schedule_.pass(seconds(10));
  EXPECT_EQ(next_look(), std::nullopt);
}

TEST_F(IdleWrapper, OfAnEarlierGenerationIsForgotten) {
  wait_for_edits();
  run();
  server_ends();
  schedule_.pass(seconds(1));
  ASSERT_EQ(watch_->idle(), kGone);
  lifecycle_.on({EventType::kRestart}, schedule_.now());
  lifecycle_.on({EventType::kTreeEmpty}, schedule_.now());
  watch_->begin_generation();
  EXPECT_EQ(watch_->idle(), "");
  lifecycle_.on({EventType::kReady}, schedule_.now());
  watch_->look();
  EXPECT_EQ(forgiven_, 0) << "no edit has come";
}

TEST_F(IdleWrapper, WhereNobodyHasListenedTheWrappersWordCounts) {
  start();
  watch_->look();
  EXPECT_TRUE(ended_.empty()) << "it may be slow";
  says(testing::kNodemonWaits);
  watch_->look();
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].event.type, EventType::kExited);
  EXPECT_EQ(ended_[0].event.cause, Cause::kWrapperIdle);
  EXPECT_EQ(ended_[0].problem, "Server has ended before it was ready, and nodemon waits for an edit.");
  EXPECT_EQ(diagnosed(Cause::kWrapperIdle), 1U);
}

TEST_F(IdleWrapper, AWrappersWordIsNotBelievedWhileSomethingLivesBesideIt) {
  start();
  const auto child = [](pid_t pid, pid_t parent) {
    ProcStat stat = process(pid);
    stat.parent = parent;
    return stat;
  };
  says("[gen] Completed running 'gen.js'");
  tree_.members_seen = {process(10), child(11, 10), child(12, 10)};
  watch_->look();
  EXPECT_TRUE(ended_.empty()) << "the other one may need its time to listen";
  tree_.members_seen = {process(10), child(11, 10)};
  watch_->look();
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].problem, "Server has ended before it was ready, and node --watch waits for an edit.");
}

TEST_F(IdleWrapper, AWrapperMayHaveBeenStartedByTheServerToBe) {
  start();
  says("Completed running 'gen.js'");
  tree_.commands[10] = "node app.js";
  watch_->look();
  EXPECT_TRUE(ended_.empty()) << "sh -c 'node --watch gen.js & exec node app.js'";
}

TEST_F(IdleWrapper, OnlyTheWrapperOfWhatHasEndedIsNamed) {
  start();
  says("[gen] Completed running 'gen.js'");
  says("[api] " + std::string(testing::kMissingModule));
  says("[api] node server.js exited with code 1");
  watch_->look();
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_TRUE(
      ended_[0].problem.starts_with("Server has ended before it was ready, and what started it lives on: " +
                                    std::string(testing::kMissingModule) + ". "))
      << ended_[0].problem;
}

TEST_F(IdleWrapper, OfAnEndThatNobodyToldTheErrorIsKnown) {
  start();
  EXPECT_EQ(watch_->said(), "");
  says("listening soon");
  EXPECT_EQ(watch_->said(), "");
  says("TypeError: x");
  says("    at boot (/srv/app/server.ts:1:2)");
  says("Node.js v20.20.2");
  EXPECT_EQ(watch_->said(), "TypeError: x (/srv/app/server.ts:1)") << "tsx watch says nothing itself";
}

TEST_F(IdleWrapper, AWrapperThatListensItselfIsNoServer) {
  start();
  listen(20);
  tree_.members_seen = {process(20)};
  says("INFO:     Started reloader process [20] using StatReload");
  watch_->look();
  EXPECT_TRUE(ended_.empty());
  says("Process SpawnProcess-1:");
  says("Traceback (most recent call last):");
  says("  File \"/srv/app/asgi.py\", line 2, in <module>");
  says("RuntimeError: no config");
  watch_->look();
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].problem,
            "Server has ended before it was ready, and uvicorn --reload waits for an edit: "
            "RuntimeError: no config (/srv/app/asgi.py:2).");
}

TEST_F(IdleWrapper, AStartThatTheWrapperGaveUpIsToldWithItsCause) {
  wait_for_edits();
  start();
  says(testing::kMissingModule);
  says(testing::kNodemonWaits);
  watch_->look();
  ASSERT_EQ(ended_.size(), 1U) << "the cause is known, so that it is not left to the wrapper";
  EXPECT_EQ(ended_[0].event.cause, Cause::kModuleNotFound);
  EXPECT_EQ(ended_[0].event.await, Await::kChange);
  EXPECT_EQ(ended_[0].problem, "Server has ended before it was ready, and nodemon waits for an edit: " +
                                   std::string(testing::kMissingModule) +
                                   ". It is started again when a file of the project changes, or in 5m.");
}

TEST_F(IdleWrapper, AStartThatTheWrapperGaveUpIsLeftToItWhereThatIsWanted) {
  wait_for_edits();
  start();
  says(testing::kNodemonWaits);
  watch_->look();
  EXPECT_TRUE(ended_.empty());
}

TEST_F(IdleWrapper, AStartThatTheWrapperTriesAgainGoesOn) {
  start();
  says(testing::kNodemonWaits);
  says("[nodemon] restarting due to changes...");
  watch_->look();
  EXPECT_TRUE(ended_.empty());
  says(testing::kNodemonWaits);
  listen(20);
  watch_->look();
  EXPECT_TRUE(ended_.empty()) << "whatever it says, it listens";
}

TEST_F(IdleWrapper, IsLookedForOnlyWhereThereIsAPortAndALife) {
  run();
  lifecycle_.on({EventType::kStop}, schedule_.now());
  says(testing::kNodemonWaits);
  server_ends();
  EXPECT_EQ(next_look(), std::nullopt);
  make();
  start();
  tree_.port_seen.reset();
  watch_->look();
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(changed_, 0);
}

TEST_F(IdleWrapper, ProcessesThatCannotBeLookedAtAreNoEnd) {
  run();
  tree_.error = std::system_error(EMFILE, std::generic_category());
  EXPECT_THROW(server_ends(), std::system_error);
  EXPECT_FALSE(watch_->undecided());
  EXPECT_EQ(changed_, 0);
}

}  // namespace
}  // namespace codex
