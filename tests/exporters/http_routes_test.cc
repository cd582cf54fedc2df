#include <gmock/gmock.h>

#include <csignal>
#include <stdexcept>

#include "exporters/http_front.h"
#include "exporters/http_head.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

HttpResponse text(std::string body) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

class HttpRoutesTest : public ::testing::Test {
 protected:
  HttpRoutesTest() {
    routes_.get("/page", [this](const HttpRequest& request) {
      last_ = request;
      accept_ = request.header("ACCEPT");
      return text("hello");
    });
    routes_.get(R"(/item/(\d+))", [this](const HttpRequest& request) {
      last_ = request;
      return text(request.query.at("1"));
    });
    routes_.post("/do", [this](const HttpRequest& request) {
      last_ = request;
      return text(request.body);
    });
    routes_.get("/throw",
                [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("postgres://u:pw@h"); });
    routes_.get("/throw-int", [](const HttpRequest&) -> HttpResponse { throw 42; });
    routes_.get("/wait", [](const HttpRequest&) {
      HttpResponse response = text("not yet");
      response.park = true;
      return response;
    });
  }

  std::string respond(const std::string& request, std::optional<uid_t> uid = std::nullopt) {
    return routes_.respond(request, uid, parked_);
  }
  std::string send(const std::string& line, const std::string& fields = "", const std::string& body = "") {
    return respond(line + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body);
  }
  int status(const std::string& line, const std::string& fields = "", const std::string& body = "") {
    return status_of(send(line, fields, body));
  }
  static std::string body_of(const std::string& response) {
    return response.substr(response.find("\r\n\r\n") + 4);
  }

  HttpRoutes routes_;
  HttpRequest last_;
  std::string accept_;
  bool parked_ = false;
};

TEST_F(HttpRoutesTest, AnswersWithTheFieldsEveryResponseHas) {
  const std::string response = send("GET /page");
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 OK\r\n"));
  for (const char* field : {"Connection: close\r\n", "Content-Length: 5\r\n", "Content-Type: text/plain\r\n",
                            "X-Content-Type-Options: nosniff\r\n", "Cache-Control: no-store\r\n"}) {
    EXPECT_THAT(response, HasSubstr(field));
  }
  EXPECT_EQ(body_of(response), "hello");
}

TEST_F(HttpRoutesTest, HeadIsGetWithoutTheBody) {
  const std::string get = send("GET /page");
  const std::string head = send("HEAD /page");
  EXPECT_EQ(head, get.substr(0, get.find("\r\n\r\n") + 4));
}

TEST_F(HttpRoutesTest, HandlersSeeTheRequest) {
  send("GET /page?a=1&b=%20x", "Accept: one\r\naccept: two\r\n");
  EXPECT_EQ(last_.method, "GET");
  EXPECT_EQ(last_.path, "/page");
  EXPECT_EQ(last_.query.at("a"), "1");
  EXPECT_EQ(last_.query.at("b"), " x");
  EXPECT_EQ(accept_, "one, two");
  EXPECT_FALSE(last_.peer_uid);
  respond("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", uid_t{1000});
  EXPECT_EQ(last_.peer_uid, uid_t{1000});
}

TEST_F(HttpRoutesTest, CapturesBecomeNumberedQueryValues) {
  EXPECT_EQ(body_of(send("GET /item/17?seen=3")), "17");
  EXPECT_EQ(last_.query.at("seen"), "3");
  EXPECT_EQ(status("GET /item/x"), 404);
  EXPECT_EQ(status("GET /item/" + std::string(2000, '7')), 200);
}

TEST_F(HttpRoutesTest, ABodyArrivesAsItIs) {
  const std::string body("{\"a\":1}\r\n\0%41", 13);
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  EXPECT_EQ(body_of(send("POST /do", length, body)), body);
  EXPECT_EQ(body_of(send("POST /do", length + "Content-Type: application/x-www-form-urlencoded\r\n", body)),
            body);
  EXPECT_EQ(body_of(send("POST /do", length + "Content-Type: multipart/form-data; boundary=x\r\n", body)),
            body);
  EXPECT_EQ(body_of(send("POST /do", length + "Content-Encoding: gzip\r\n", body)), body);
  EXPECT_EQ(status("POST /do"), 200);
}

TEST_F(HttpRoutesTest, UnknownPathsAre404AndOtherMethods405WithAllow) {
  EXPECT_EQ(status("GET /nothing"), 404);
  EXPECT_EQ(status("GET /page/"), 404);
  EXPECT_EQ(status("POST /nothing"), 404);
  EXPECT_THAT(send("POST /page"), HasSubstr("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(send("POST /page"), HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(send("GET /do"), HasSubstr("Allow: POST\r\n"));
  for (const char* method : {"PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PATCH", "BREW", "get"}) {
    EXPECT_THAT(send(std::string(method) + " /page"), HasSubstr("Allow: GET, HEAD, POST\r\n")) << method;
    EXPECT_EQ(status(std::string(method) + " /page"), 405) << method;
  }
}

TEST_F(HttpRoutesTest, OnlyPathsAreTargets) {
  EXPECT_EQ(status("GET http://evil.example/page"), 400);
  EXPECT_EQ(status("GET *"), 400);
  EXPECT_EQ(status("GET /page%00"), 404);
  EXPECT_EQ(status("GET /../page"), 404);
}

TEST_F(HttpRoutesTest, RangesExpectationsAndUpgradesAreIgnored) {
  const std::string plain = send("GET /page");
  EXPECT_EQ(send("GET /page", "Range: bytes=0-1\r\n"), plain);
  EXPECT_EQ(send("GET /page", "Range: bytes=9-1,x\r\n"), plain);
  EXPECT_EQ(send("GET /page", "Expect: 100-continue\r\n"), plain);
  EXPECT_EQ(send("GET /page", "Connection: Upgrade\r\nUpgrade: h2c\r\n"), plain);
  EXPECT_EQ(send("GET /page", "Accept-Encoding: gzip, br\r\n"), plain);
  EXPECT_EQ(send("GET /page", "REMOTE_ADDR: 6.6.6.6\r\n"), plain);
  EXPECT_EQ(send("GET /page", "Connection: keep-alive\r\n"), plain);
}

TEST_F(HttpRoutesTest, AnExceptionIs500AndTellsNothing) {
  for (const char* line : {"GET /throw", "GET /throw-int"}) {
    const std::string response = send(line);
    EXPECT_EQ(status_of(response), 500);
    EXPECT_THAT(response, Not(HasSubstr("postgres")));
    EXPECT_THAT(response, Not(HasSubstr("EXCEPTION")));
    EXPECT_THAT(body_of(response), IsEmpty());
  }
}

TEST_F(HttpRoutesTest, SaysWhetherTheHandlerWantsToWait) {
  EXPECT_EQ(body_of(send("GET /wait")), "not yet");
  EXPECT_TRUE(parked_);
  send("GET /page");
  EXPECT_FALSE(parked_);
}

TEST_F(HttpRoutesTest, MalformedBytesAre400) {
  for (const std::string request : {"", "x", "GET /page HTTP/1.1\nHost: x\n\n", "\r\n\r\n"}) {
    EXPECT_EQ(status_of(respond(request)), 400) << request;
  }
  EXPECT_EQ(status("POST /do", "Content-Length: 5\r\n", "1234"), 400);
  EXPECT_EQ(status("POST /do", "Content-Length: 5\r\n", "123456"), 400);
}

TEST_F(HttpRoutesTest, AHandlerMayAskTheRoutesAgain) {
  routes_.get("/outer", [this](const HttpRequest& request) {
    bool parked = false;
    routes_.respond("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", std::nullopt, parked);
    return text(request.header("Accept"));
  });
  EXPECT_EQ(body_of(send("GET /outer", "Accept: mine\r\n")), "mine");
  EXPECT_FALSE(parked_);
}

TEST(HttpRoutes, LeaveTheDispositionOfSigpipeAlone) {
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGPIPE, nullptr, &before), 0);
  const HttpRoutes routes;
  struct sigaction after {};
  ASSERT_EQ(::sigaction(SIGPIPE, nullptr, &after), 0);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  EXPECT_EQ(after.sa_handler, SIG_DFL);
}

TEST(HttpRoutes, StayUsableWhenMoved) {
  HttpRoutes first;
  first.get("/a", [](const HttpRequest&) { return text("moved"); });
  const HttpRoutes second = std::move(first);
  bool parked = false;
  EXPECT_THAT(second.respond("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", std::nullopt, parked), HasSubstr("moved"));
}

}  // namespace
}  // namespace codex
