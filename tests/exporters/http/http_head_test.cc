#include "exporters/http/http_head.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using namespace std::string_literals;

/// Status of `GET / HTTP/1.1` with a Host and these further bytes; 0 if it is accepted.
int status_with(const std::string& more) {
  return parse_http_head("GET / HTTP/1.1\r\nHost: x\r\n" + more + "\r\n").error_status;
}

int status_of_line(const std::string& line) {
  return parse_http_head(line + "\r\nHost: x\r\n\r\n").error_status;
}

TEST(HttpHead, GivesMethodTargetAndFields) {
  const auto parsed = parse_http_head(
      "POST /a/b?c=d HTTP/1.1\r\nHost: example.org:9847\r\nX-Empty:\r\nACCEPT: a\r\naccept:\t b \r\n"
      "Content-Length: 12\r\n\r\n");
  ASSERT_TRUE(parsed.head);
  EXPECT_EQ(parsed.head->method, "POST");
  EXPECT_EQ(parsed.head->target, "/a/b?c=d");
  EXPECT_EQ(parsed.head->path(), "/a/b");
  EXPECT_EQ(parsed.head->query(), "c=d");
  EXPECT_FALSE(parsed.head->http_1_0);
  EXPECT_EQ(parsed.head->field("Host"), "example.org:9847");
  EXPECT_EQ(parsed.head->field("Accept"), "a, b");
  EXPECT_EQ(parsed.head->field("x-empty"), "");
  EXPECT_EQ(parsed.head->field("absent"), "");
  EXPECT_EQ(parsed.head->content_length, 12U);
}

TEST(HttpHead, RequestLinesThatCouldBeReadTwoWaysAreMalformed) {
  EXPECT_EQ(status_of_line("GET / HTTP/1.1"), 0);
  for (const std::string& line :
       {""s, "GET"s, "GET /"s, "GET  HTTP/1.1"s, "GET / / HTTP/1.1"s, " GET / HTTP/1.1"s, "GET\t/ HTTP/1.1"s,
        "G(T / HTTP/1.1"s, "GET / HTTP/1.1 "s, "GET / HTTP/11"s, "GET / http/1.1"s, "GET /\x01 HTTP/1.1"s,
        "GET /\x7f HTTP/1.1"s, "GET /a\rb HTTP/1.1"s, "SSH-2.0-OpenSSH_9.2"s, "\x16\x03\x01\x02"s}) {
    EXPECT_EQ(status_of_line(line), 400) << line;
  }
}

TEST(HttpHead, OtherVersionsAreNotSupported) {
  EXPECT_EQ(status_of_line("GET / HTTP/1.0"), 0);
  EXPECT_EQ(status_of_line("GET / HTTP/2.0"), 505);
  EXPECT_EQ(status_of_line("PRI * HTTP/2.0"), 505);
  EXPECT_EQ(status_of_line("GET / HTTP/0.9"), 505);
}

TEST(HttpHead, ATargetHas2048BytesAtMost) {
  EXPECT_EQ(status_of_line("GET /" + std::string(2046, 'a') + " HTTP/1.1"), 0);
  EXPECT_EQ(status_of_line("GET /" + std::string(2047, 'a') + " HTTP/1.1"), 0);
  EXPECT_EQ(status_of_line("GET /" + std::string(2048, 'a') + " HTTP/1.1"), 414);
  EXPECT_EQ(status_of_line("GET /" + std::string(30000, 'a') + " HTTP/1.1"), 414);
}

TEST(HttpHead, FieldsThatCouldBeReadTwoWaysAreMalformed) {
  EXPECT_EQ(status_with(""), 0);
  for (const std::string& field :
       {"no colon\r\n"s, ": empty name\r\n"s, "A : blank\r\n"s, " folded\r\n"s, "\tfolded\r\n"s,
        "A: x\r\n folded\r\n"s, "A: \x01\r\n"s, "A: a\rb\r\n"s, "A: x\0y\r\n"s, "A\xff: x\r\n"s}) {
    EXPECT_EQ(status_with(field), 400) << field;
  }
}

TEST(HttpHead, LengthsMustBeOnePlainNumber) {
  EXPECT_EQ(status_with("Content-Length: 0\r\n"), 0);
  EXPECT_EQ(status_with("Content-Length: 18446744073709551615\r\n"), 0);
  for (const std::string value :
       {"", "-1", "+1", "0x10", "1 2", "1,1", "1.0", "18446744073709551616", "five"}) {
    EXPECT_EQ(status_with("Content-Length: " + value + "\r\n"), 400) << value;
  }
  EXPECT_EQ(status_with("Content-Length: 5\r\nContent-Length: 5\r\n"), 400);
  EXPECT_EQ(status_with("Content-Length: 5\r\ncontent-length: 6\r\n"), 400);
}

TEST(HttpHead, TransferCodingsAreRefusedAndNeverCombinedWithALength) {
  EXPECT_EQ(status_with("Transfer-Encoding: chunked\r\n"), 501);
  EXPECT_EQ(status_with("transfer-encoding: identity\r\n"), 501);
  EXPECT_EQ(status_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(status_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400);
}

TEST(HttpHead, Http11NeedsExactlyOneHost) {
  EXPECT_EQ(parse_http_head("GET / HTTP/1.1\r\n\r\n").error_status, 400);
  EXPECT_EQ(parse_http_head("GET / HTTP/1.0\r\n\r\n").error_status, 0);
  EXPECT_EQ(status_with("Host: y\r\n"), 400);
}

TEST(HttpHead, AHeadWithoutItsEmptyLineIsMalformed) {
  for (const std::string text :
       {"", "\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\n"}) {
    EXPECT_EQ(parse_http_head(text).error_status, 400) << text;
  }
}

TEST(HttpHead, OneVeryLongFieldIsJustAField) {
  EXPECT_EQ(status_with("A: " + std::string(30000, 'x') + "\r\n"), 0);
  EXPECT_EQ(status_with(std::string(30000, 'x') + "\r\n"), 400);
}

TEST(FindHeadEnd, FindsTheFirstEmptyLineWhereverItIsCut) {
  const std::string text = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /";
  const std::size_t size = text.find("\r\n\r\n") + 4;
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const HeadEnd first = find_head_end(text.substr(0, cut), 0);
    EXPECT_EQ(first.size.has_value(), cut >= size);
    if (!first.size) {
      EXPECT_EQ(find_head_end(text, cut).size, size) << cut;
    }
  }
}

TEST(FindHeadEnd, BareLineFeedsAndNulsAreSeenBeforeTheEnd) {
  EXPECT_TRUE(find_head_end("\n", 0).malformed);
  EXPECT_TRUE(find_head_end("GET / HTTP/1.1\n", 0).malformed);
  EXPECT_TRUE(find_head_end("GET / HTTP/1.1\r\nA: b\n", 0).malformed);
  EXPECT_TRUE(find_head_end("GET /\0"s, 0).malformed);
  EXPECT_FALSE(find_head_end("GET / HTTP/1.1\r", 0).malformed);
}

}  // namespace
}  // namespace codex
