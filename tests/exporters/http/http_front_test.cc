#include "exporters/http/http_front.h"

#include <gmock/gmock.h>

#include <stdexcept>

#include "tests/exporters/http/ask_routes.h"
#include "tests/exporters/http/front_fixture.h"

namespace codex {
namespace {

using testing::FrontTest;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testing::TestClient;

class HttpFrontTest : public FrontTest {
 protected:
  /// The whole answer to these bytes.
  std::string exchange(const std::string& bytes) {
    TestClient client = connect();
    client.send(bytes);
    turn_until_closed(client);
    return client.received();
  }
  int status(const std::string& bytes) { return testing::status_of(exchange(bytes)); }
};

TEST_F(HttpFrontTest, AnswersAndCloses) {
  start();
  TestClient client = get("/hello");
  turn_until_closed(client);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(client.received(), HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(client.body(), "hello");
}

TEST_F(HttpFrontTest, AnswersAClientThatClosedItsSideFirst) {
  start();
  TestClient client = get("/hello");
  client.shutdown_write();
  turn_until_closed(client);
  EXPECT_EQ(client.body(), "hello");
}

TEST_F(HttpFrontTest, ReadsARequestThatComesByteByByte) {
  start();
  TestClient client = connect();
  for (const char c : std::string("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")) {
    ASSERT_TRUE(client.send({&c, 1}));
    loop_.run_once(std::chrono::milliseconds(1));
  }
  turn_until_closed(client);
  EXPECT_EQ(client.body(), "hello");
}

TEST_F(HttpFrontTest, SendsAnAnswerThatIsLargerThanTheSocketBuffers) {
  start();
  TestClient client = get("/big");
  turn_until_closed(client);
  EXPECT_EQ(client.body().size(), std::size_t{8 << 20});
}

TEST_F(HttpFrontTest, GivesOneResponseToPipelinedRequests) {
  start();
  const std::string request = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string answer = exchange(request + request + request);
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpFrontTest, RefusesWhatCouldBeSmuggled) {
  start();
  const std::string begin = "GET /hello HTTP/1.1\r\nHost: x\r\n";
  for (const std::string& request :
       {begin + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        begin + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        begin + "A: b\r\n folded\r\n\r\n", begin + std::string("A: \0\r\n\r\n", 8),
        std::string("GET /hello HTTP/1.1\nHost: x\n\n"), begin + "A: b\n\r\n", std::string("\r\n\r\n"),
        std::string("\x16\x03\x01\x02\0\x01", 6), std::string("SSH-2.0-OpenSSH_9.2\r\n\r\n")}) {
    EXPECT_EQ(status(request), 400) << request;
  }
  EXPECT_EQ(rejected("malformed"), 9U);
  EXPECT_EQ(status(begin + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(status(begin + "Content-Length: 5\r\n\r\nhello"), 413);
}

TEST_F(HttpFrontTest, AnswersAPostWithABodyWithoutReadingIt) {
  start();
  TestClient client = connect();
  client.send("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n");
  for (int i = 0; i < 50; ++i) client.send(std::string(1000, 'x'));
  turn_until([&] {
    client.receive();
    return client.received().find("\r\n\r\n") != std::string::npos;
  });
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(client.received(), HasSubstr("Allow: GET, HEAD\r\n"));
  turn_until_closed(client);
}

TEST_F(HttpFrontTest, ABodyWithoutEndIsCutOff) {
  start();
  TestClient client = connect();
  client.send("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n");
  turn_until([&] { return !client.send(std::string(16384, 'x')); });
  turn_until_closed(client);
}

TEST_F(HttpFrontTest, ChecksTheHostAgainstItsList) {
  start({}, {"localhost", "127.0.0.1", "[::1]", "Agent.example"});
  const auto status_with_host = [&](const std::string& host) {
    return status("GET /hello HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  };
  for (const char* host : {"localhost", "LOCALHOST:9847", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:9847",
                           "agent.example", "agent.example."}) {
    EXPECT_EQ(status_with_host(host), 200) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1",
                           "::2", "localhost@evil.example", "evil.example:127"}) {
    EXPECT_EQ(status_with_host(host), 421) << host;
  }
  EXPECT_EQ(rejected("forbidden"), 8U);
}

TEST_F(HttpFrontTest, AHealthCheckerWithHttp10NeedsNoHost) {
  start({}, {"localhost"});
  EXPECT_EQ(status("GET /hello HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(status("GET /hello HTTP/1.0\r\nHost: evil.example\r\n\r\n"), 421);
}

TEST_F(HttpFrontTest, CountsRequestsByHandlerAndStatus) {
  start();
  exchange("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  exchange("GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  exchange("GET /nothing/pid/4711 HTTP/1.1\r\nHost: x\r\n\r\n");
  exchange("broken\r\n\r\n");
  const auto& requests = front_->stats().requests;
  EXPECT_EQ(requests.at({"other", 200}), 1U);
  EXPECT_EQ(requests.at({"/metrics", 404}), 1U);
  EXPECT_EQ(requests.at({"other", 404}), 1U);
  EXPECT_EQ(requests.at({"other", 400}), 1U);
  EXPECT_EQ(requests.size(), 4U);
  EXPECT_EQ(front_->stats().in_flight, 0U);
}

TEST_F(HttpFrontTest, ARequestIsInFlightWhileItsHandlerRuns) {
  std::size_t in_flight = 0;
  routes_.get("/count", [&](const HttpRequest&) {
    in_flight = front_->stats().in_flight;
    return HttpResponse{};
  });
  start();
  exchange("GET /count HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(in_flight, 1U);
}

TEST_F(HttpFrontTest, WhatAHandlerThrowsIsForTheLogAlone) {
  std::vector<std::string> told;
  loop_.on_error([&](std::string_view name, std::string_view what) {
    told.push_back(std::string(name) + ": " + std::string(what));
  });
  routes_.get("/throw",
              [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("no descriptor"); });
  start();
  const std::string answer = exchange("GET /throw?a=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("descriptor")));
  EXPECT_EQ(told, std::vector<std::string>{"GET /throw: no descriptor"});
  EXPECT_EQ(loop_.stats().callback_errors, 1U);
  EXPECT_EQ(front_->stats().requests.at({"other", 500}), 1U);
}

TEST_F(HttpFrontTest, FiveHundredRequestsLeaveNoDescriptorBehind) {
  start();
  settle();
  const std::size_t before = testing::open_fds();
  for (int i = 0; i < 500; ++i) {
    TestClient client = get(i % 3 == 0 ? "/nothing" : "/hello");
    if (i % 5 == 0)
      client.close();
    else
      turn_until_closed(client);
  }
  settle();
  EXPECT_EQ(testing::open_fds(), before);
}

TEST_F(HttpFrontTest, AClientThatGoesAwayDuringTheAnswerHarmsNobody) {
  start();
  TestClient client = get("/big");
  turn_until([&] {
    client.receive();
    return client.received().size() > 100000;
  });
  client.close();
  turn_until([&] { return front_->stats().in_flight == 0; });
  settle();
}

TEST_F(HttpFrontTest, AParkedRequestIsAnsweredWhenThereIsNews) {
  start();
  TestClient client = get("/park");
  turn_until([&] { return park_calls_ == 1; });
  front_->wake_parked();
  front_->wake_parked();
  turn_until([&] { return park_calls_ == 2; });
  client.receive();
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(front_->stats().in_flight, 1U);
  news_ = "news";
  front_->wake_parked();
  turn_until_closed(client);
  EXPECT_EQ(client.body(), "news");
  EXPECT_EQ(park_calls_, 3);
}

TEST_F(HttpFrontTest, AHandlerMayWakeTheParked) {
  routes_.get("/tell", [&](const HttpRequest&) {
    news_ = "told";
    front_->wake_parked();
    return HttpResponse{};
  });
  start();
  TestClient waiting = get("/park");
  turn_until([&] { return park_calls_ == 1; });
  TestClient telling = get("/tell");
  turn_until_closed(telling);
  turn_until_closed(waiting);
  EXPECT_EQ(waiting.body(), "told");
}

TEST_F(HttpFrontTest, AParkedRequestGetsTheLastAnswerAtTheEndOfItsTime) {
  HttpLimits limits;
  limits.park_limit = std::chrono::milliseconds(800);
  limits.request_deadline = std::chrono::milliseconds(400);
  start(limits);
  const TimePoint begin = Clock::now();
  TestClient client = get("/park");
  turn_until([&] { return park_calls_ == 1; });
  front_->wake_parked();
  turn_until_closed(client);
  EXPECT_EQ(client.body(), "nothing after " + std::to_string(park_calls_));
  EXPECT_GE(Clock::now() - begin, limits.park_limit);
  EXPECT_EQ(rejected("deadline"), 0U);
}

TEST_F(HttpFrontTest, AParkedClientThatHangsUpIsForgotten) {
  start();
  TestClient leaving = get("/park");
  TestClient half_closing = get("/park");
  turn_until([&] { return park_calls_ == 2; });
  EXPECT_EQ(front_->stats().in_flight, 2U);
  leaving.close();
  half_closing.shutdown_write();
  turn_until([&] { return front_->stats().in_flight == 0; });
  news_ = "news";
  front_->wake_parked();
  settle();
  EXPECT_EQ(park_calls_, 2);
}

TEST_F(HttpFrontTest, AFrontMayDieWithClientsInEveryState) {
  start();
  TestClient silent = connect();
  TestClient half = connect();
  half.send("GET /hel");
  TestClient parked = get("/park");
  TestClient reading = get("/big");
  turn_until([&] { return park_calls_ == 1 && front_->stats().in_flight == 2; });
  front_.reset();
  for (TestClient* client : {&silent, &half, &parked, &reading}) turn_until_closed(*client);
}

}  // namespace
}  // namespace codex
