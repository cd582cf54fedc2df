#include "agent/cli/control_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/fake_agent.h"
#include "tests/support/project_directory.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = FakeAgent::Answer::Then;
using Trouble = ControlClient::Trouble;

class ControlClientTest : public testing::Test {
 protected:
  FakeAgent& agent_that(FakeAgent::Handler handler) {
    agent_ = std::make_unique<FakeAgent>(socket_, std::move(handler));
    return *agent_;
  }
  FakeAgent& agent_that_sends(std::string bytes, Then then) {
    return agent_that([=](const auto&, const auto&) { return FakeAgent::Answer{bytes, then}; });
  }

  ProjectDirectory directory_;
  std::filesystem::path socket_ = directory_.path() / "control.sock";
  ControlClient client_{socket_};
  std::unique_ptr<FakeAgent> agent_;
};

TEST_F(ControlClientTest, AnAnswerHasStatusAndBody) {
  const auto& agent =
      agent_that([](const auto&, const auto&) { return FakeAgent::json(202, R"({"operation":1})"); });
  const auto reply = client_.post("/v1/start", R"({"backends":[]})");
  EXPECT_EQ(reply.trouble, Trouble::kNone);
  EXPECT_EQ(reply.status, 202);
  EXPECT_EQ(reply.body, R"({"operation":1})");
  EXPECT_EQ(agent.requests(), std::vector<std::string>{R"(POST /v1/start {"backends":[]})"});
}

TEST_F(ControlClientTest, TheRequestNamesItsHostAndClosesTheConnection) {
  std::string head;
  agent_that([&](const std::string& request, const auto&) {
    head = request;
    return FakeAgent::json(200, "{}");
  });
  ASSERT_EQ(client_.get("/v1/events?after=3&wait=1").status, 200);
  agent_.reset();
  EXPECT_EQ(head.find("GET /v1/events?after=3&wait=1 HTTP/1.1\r\n"), 0U) << head;
  EXPECT_NE(head.find("Host: localhost\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("Connection: close\r\n"), std::string::npos) << head;
}

TEST_F(ControlClientTest, WithoutASocketThereIsNoAgent) {
  EXPECT_EQ(client_.get("/").trouble, Trouble::kNoAgent);
  EXPECT_FALSE(client_.agent_listens());
}

TEST_F(ControlClientTest, AStaleSocketIsNoAgent) {
  listen_without_accepting(socket_, 1).reset();
  ASSERT_TRUE(std::filesystem::exists(socket_));
  EXPECT_EQ(client_.get("/").trouble, Trouble::kNoAgent);
  EXPECT_FALSE(client_.agent_listens());
}

TEST_F(ControlClientTest, APathTooLongForASocketIsNoAgent) {
  const ControlClient client(directory_.path() / std::string(200, 'x'));
  EXPECT_EQ(client.get("/").trouble, Trouble::kNoAgent);
}

TEST_F(ControlClientTest, AnAgentThatNeverAnswersCostsTheDeadlineOnly) {
  agent_that_sends("", Then::kHold);
  const TimePoint begin = Clock::now();
  EXPECT_EQ(client_.get("/", milliseconds(150)).trouble, Trouble::kNoAnswer);
  EXPECT_GE(Clock::now() - begin, milliseconds(150));
  EXPECT_LT(Clock::now() - begin, seconds(5));
}

TEST_F(ControlClientTest, AStoppedAgentWithAFullBacklogCostsTheDeadlineOnly) {
  const UniqueFd listener = listen_without_accepting(socket_, 0);
  EXPECT_EQ(client_.get("/", milliseconds(50)).trouble, Trouble::kNoAnswer);
  EXPECT_EQ(client_.get("/", milliseconds(50)).trouble, Trouble::kNoAnswer);
  EXPECT_EQ(client_.get("/", milliseconds(50)).trouble, Trouble::kNoAnswer);
  EXPECT_TRUE(client_.agent_listens());
}

TEST_F(ControlClientTest, AnAgentThatDripsItsHeadersIsCutAtTheDeadline) {
  agent_that_sends("X: y\r\n", Then::kDrip);
  EXPECT_NE(client_.get("/", milliseconds(200)).trouble, Trouble::kNone);
}

TEST_F(ControlClientTest, AnAgentThatDripsItsBodyIsCutAtTheDeadline) {
  agent_that([](const auto&, const auto&) {
    return FakeAgent::Answer{"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(90'000, 'x'),
                             Then::kDrip};
  });
  EXPECT_EQ(client_.get("/", milliseconds(200)).trouble, Trouble::kNoAnswer);
}

TEST_F(ControlClientTest, HalfAnAnswerIsBroken) {
  agent_that_sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Then::kClose);
  EXPECT_EQ(client_.get("/").trouble, Trouble::kBroken);
}

TEST_F(ControlClientTest, AClosedConnectionIsBroken) {
  agent_that_sends("", Then::kClose);
  EXPECT_EQ(client_.get("/").trouble, Trouble::kBroken);
}

TEST_F(ControlClientTest, GarbageIsBroken) {
  agent_that_sends("\x16\x03\x01 what?\r\n\r\n", Then::kClose);
  EXPECT_EQ(client_.get("/").trouble, Trouble::kBroken);
}

TEST_F(ControlClientTest, GarbageIsBrokenBeforeTheDeadline) {
  agent_that_sends("\x16\x03\x01", Then::kHold);
  EXPECT_EQ(client_.get("/", seconds(60)).trouble, Trouble::kBroken);
}

TEST_F(ControlClientTest, AStatusLineOf30KilobytesIsBrokenBeforeTheDeadline) {
  agent_that_sends("HTTP/1.1 200 " + std::string(30'000, 'x'), Then::kHold);
  EXPECT_EQ(client_.get("/", seconds(60)).trouble, Trouble::kBroken);
}

TEST_F(ControlClientTest, AnEndlessStatusLineIsBrokenAndHarmless) {
  agent_that_sends("HTTP/1.1 200 " + std::string(60'000, 'x') + "\r\n\r\n", Then::kClose);
  EXPECT_EQ(client_.get("/").trouble, Trouble::kBroken);
}

TEST_F(ControlClientTest, EndlessHeadersAreBroken) {
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 5'000; ++i) head += "X-Header: value\r\n";
  agent_that_sends(head, Then::kHold);
  EXPECT_EQ(client_.get("/", seconds(20)).trouble, Trouble::kBroken);
}

TEST_F(ControlClientTest, ABodyLongerThanTheLimitIsBroken) {
  agent_that_sends("HTTP/1.1 200 OK\r\n\r\n" + std::string(17 * 1024 * 1024, 'x'), Then::kClose);
  EXPECT_EQ(client_.get("/", seconds(20)).trouble, Trouble::kBroken);
}

TEST_F(ControlClientTest, ALongBodyOfLongLinesArrivesWhole) {
  const std::string body(1024 * 1024, 'x');
  agent_that([&](const auto&, const auto&) { return FakeAgent::json(200, body); });
  EXPECT_EQ(client_.get("/", seconds(20)).body, body);
}

TEST_F(ControlClientTest, TheTickCancelsASilentWait) {
  agent_that_sends("", Then::kHold);
  int ticks = 0;
  EXPECT_EQ(client_.get("/", seconds(60), [&] { return ++ticks < 3; }).trouble, Trouble::kCancelled);
  EXPECT_EQ(ticks, 3);
}

}  // namespace
}  // namespace codex
