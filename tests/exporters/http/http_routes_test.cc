#include <gmock/gmock.h>

#include <stdexcept>

#include "tests/exporters/http/ask_routes.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::status_of;

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
    const auto [bytes, parked] = testing::ask(routes_, request, uid);
    parked_ = parked;
    return bytes;
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

TEST_F(HttpRoutesTest, PathsAndQueriesAreDecodedOnce) {
  const auto value = [this](const std::string& query, const std::string& name) {
    send("GET /page?" + query);
    const auto found = last_.query.find(name);
    return found == last_.query.end() ? "absent" : found->second;
  };
  EXPECT_EQ(value("a=%2541%26+%2b", "a"), "%41& +");
  EXPECT_EQ(value("%61=b", "a"), "b");
  EXPECT_EQ(value("a=1&a=2", "a"), "1");
  EXPECT_EQ(value("a=b=c", "a"), "b=c");
  EXPECT_EQ(value("&&a&", "a"), "");
  EXPECT_EQ(value("=c", ""), "absent");
  EXPECT_EQ(value("a=%", "a"), "%");
  EXPECT_EQ(value("a=%4", "a"), "%4");
  EXPECT_EQ(value("a=%4g%-1%+1", "a"), "%4g%-1% 1");
  EXPECT_EQ(value("a=b?c=d", "a"), "b?c=d");
  EXPECT_EQ(value(std::string(2000, '&'), "a"), "absent");
  EXPECT_EQ(status("GET /%70age"), 200);
  EXPECT_EQ(last_.path, "/page");
  EXPECT_EQ(status("GET /pa+ge"), 404);
  EXPECT_EQ(status("GET /page%3Fa=1"), 404);
}

TEST_F(HttpRoutesTest, PatternsAreLiteralButForTheirNumbers) {
  routes_.get("/a.b", [](const HttpRequest&) { return text("dot"); });
  routes_.get(R"(/(\d+)-(\d+)/end)", [](const HttpRequest& request) {
    return text(request.query.at("1") + " " + request.query.at("2"));
  });
  EXPECT_EQ(status("GET /a.b"), 200);
  EXPECT_EQ(status("GET /axb"), 404);
  EXPECT_EQ(body_of(send("GET /12-034/end?1=x")), "12 034");
  for (const char* path : {"/12-034", "/12-034/en", "/12-034/end/", "/12-/end", "/-3/end", "/1 2-3/end",
                           "/12+3/end", "/%D9%A1-1/end"}) {
    EXPECT_NE(status(std::string("GET ") + path), 200) << path;
  }
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
  const HttpHead head = *parse_http_head("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n").head;
  EXPECT_THROW(std::rethrow_exception(routes_.respond(head, "", std::nullopt).error), std::runtime_error);
}

TEST_F(HttpRoutesTest, SaysWhetherTheHandlerWantsToWait) {
  EXPECT_EQ(body_of(send("GET /wait")), "not yet");
  EXPECT_TRUE(parked_);
  send("GET /page");
  EXPECT_FALSE(parked_);
}

TEST_F(HttpRoutesTest, MalformedBytesAre400) {
  for (const std::string request : {"GET /page HTTP/1.1\nHost: x\n\n", "\r\n\r\n"}) {
    EXPECT_EQ(status_of(respond(request)), 400) << request;
  }
}

TEST_F(HttpRoutesTest, ABodyThatWasNotReadReachesNoHandler) {
  const HttpHead head = *parse_http_head("POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n").head;
  for (const char* body : {"", "1234", "123456"}) {
    EXPECT_EQ(routes_.respond(head, body, std::nullopt).status, 400) << body;
  }
  EXPECT_EQ(routes_.respond(head, "12345", std::nullopt).status, 200);
}

TEST_F(HttpRoutesTest, AHandlerMayAskTheRoutesAgain) {
  routes_.get("/outer", [this](const HttpRequest& request) {
    EXPECT_TRUE(testing::ask(routes_, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").parked);
    return text(request.header("Accept"));
  });
  EXPECT_EQ(body_of(send("GET /outer", "Accept: mine\r\n")), "mine");
  EXPECT_FALSE(parked_);
}

TEST(HttpRoutes, StayUsableWhenMoved) {
  HttpRoutes first;
  first.get("/a", [](const HttpRequest&) { return text("moved"); });
  const HttpRoutes second = std::move(first);
  EXPECT_THAT(testing::get(second, "/a"), HasSubstr("moved"));
}

}  // namespace
}  // namespace codex
