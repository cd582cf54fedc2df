#include "agent/cli/operation_wait.h"

#include <gtest/gtest.h>

#include "tests/support/fake_agent.h"
#include "tests/support/project_directory.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using End = WaitResult::End;
using Then = FakeAgent::Answer::Then;

std::string operation(int revision, bool done, const std::string& state) {
  return R"({"operation":17,"command":"start","revision":)" + std::to_string(revision) + R"(,"done":)" +
         (done ? "true" : "false") + R"(,"results":[{"backend":"api","done":)" + (done ? "true" : "false") +
         R"(,"code":0,"message":"fine"}],"status":{"backends":[{"name":"api","state":")" + state + R"("}]}})";
}

class OperationWait : public testing::Test {
 protected:
  /// Answers one after the other; the last one for ever.
  void agent_that_answers(std::vector<FakeAgent::Answer> answers) {
    agent_ = std::make_unique<FakeAgent>(socket_,
                                         [answers, next = std::size_t{0}](const auto&, const auto&) mutable {
                                           return answers[std::min(next++, answers.size() - 1)];
                                         });
  }

  WaitResult wait() { return wait_for_operation(ControlClient(socket_), 17, options_); }

  ProjectDirectory directory_;
  std::filesystem::path socket_ = directory_.path() / "control.sock";
  WaitOptions options_;
  std::unique_ptr<FakeAgent> agent_;
};

TEST_F(OperationWait, EveryPollAsksForNewsSinceTheLast) {
  agent_that_answers({FakeAgent::json(200, operation(1, false, "starting")),
                      FakeAgent::json(200, operation(4, false, "starting")),
                      FakeAgent::json(200, operation(5, true, "running"))});
  std::vector<std::string> states;
  options_.show = [&](const OperationDocument& news) { states.push_back(news.status.backends[0].state); };
  const WaitResult result = wait();
  EXPECT_EQ(result.end, End::kDone);
  EXPECT_EQ(result.operation.results[0].message, "fine");
  EXPECT_EQ(result.document, operation(5, true, "running"));
  EXPECT_EQ(agent_->requests(),
            (std::vector<std::string>{"GET /v1/operations/17?seen=0", "GET /v1/operations/17?seen=1",
                                      "GET /v1/operations/17?seen=4"}));
  EXPECT_FALSE(states.empty());
  EXPECT_EQ(states.front(), "starting");
}

TEST_F(OperationWait, TheSameRevisionAgainIsNoNewsButNoTrouble) {
  agent_that_answers({FakeAgent::json(200, operation(1, false, "starting")),
                      FakeAgent::json(200, operation(1, false, "starting")),
                      FakeAgent::json(200, operation(2, true, "running"))});
  EXPECT_EQ(wait().end, End::kDone);
}

TEST_F(OperationWait, AnAgentThatDiesMidWaitIsGone) {
  agent_that_answers({FakeAgent::json(200, operation(1, false, "starting")), {"", Then::kDie}});
  const WaitResult result = wait();
  EXPECT_EQ(result.end, End::kAgentGone);
  EXPECT_EQ(result.operation.status.backends.at(0).state, "starting");
}

TEST_F(OperationWait, AnAgentThatDiesMidAnswerIsGone) {
  agent_that_answers({{"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"oper", Then::kDie}});
  EXPECT_EQ(wait().end, End::kAgentGone);
}

TEST_F(OperationWait, AnEvictedPollIsAskedAgain) {
  agent_that_answers(
      {{"", Then::kClose}, {"", Then::kClose}, FakeAgent::json(200, operation(2, true, "running"))});
  EXPECT_EQ(wait().end, End::kDone);
}

TEST_F(OperationWait, AnAgentThatKeepsHangingUpIsGivenUp) {
  agent_that_answers({{"", Then::kClose}});
  EXPECT_EQ(wait().end, End::kBadAnswer);
  EXPECT_EQ(agent_->requests().size(), 3U);
}

TEST_F(OperationWait, AnAgentThatNeverAnswersIsGivenUpAtTheDeadline) {
  agent_that_answers({FakeAgent::json(200, operation(1, false, "starting")), {"", Then::kHold}});
  options_.poll_deadline = milliseconds(150);
  EXPECT_EQ(wait().end, End::kNoAnswer);
}

TEST_F(OperationWait, AnAgentThatAnswersGarbageIsGivenUp) {
  agent_that_answers({FakeAgent::json(200, "not JSON")});
  EXPECT_EQ(wait().end, End::kBadAnswer);
}

TEST_F(OperationWait, AnUnknownOperationIsSaidInTheAgentsWords) {
  agent_that_answers({FakeAgent::json(404, R"({"error":"there is no operation 17"})")});
  const WaitResult result = wait();
  EXPECT_EQ(result.end, End::kBadAnswer);
  EXPECT_EQ(result.error, "there is no operation 17");
}

TEST_F(OperationWait, TheTimeLimitEndsTheWaitNotTheOperation) {
  agent_that_answers({FakeAgent::json(200, operation(1, false, "starting")), {"", Then::kHold}});
  options_.until = Clock::now() + milliseconds(500);
  const WaitResult result = wait();
  EXPECT_EQ(result.end, End::kTimeLimit);
  EXPECT_GE(Clock::now(), *options_.until);
  EXPECT_EQ(result.operation.revision, 1U);
}

TEST_F(OperationWait, AnInterruptEndsTheWait) {
  agent_that_answers({FakeAgent::json(200, operation(1, false, "starting")), {"", Then::kHold}});
  int asked = 0;
  options_.interrupted = [&] { return ++asked > 5; };
  EXPECT_EQ(wait().end, End::kInterrupted);
}

TEST_F(OperationWait, TheNewsAreShownAgainWhileNothingHappens) {
  agent_that_answers({FakeAgent::json(200, operation(1, false, "starting")), {"", Then::kHold}});
  int shown = 0;
  options_.show = [&](const OperationDocument&) { ++shown; };
  options_.interrupted = [&] { return shown >= 4; };
  EXPECT_EQ(wait().end, End::kInterrupted);
  EXPECT_EQ(shown, 4);
}

}  // namespace
}  // namespace codex
