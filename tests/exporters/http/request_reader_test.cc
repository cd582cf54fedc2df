#include "exporters/http/request_reader.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using State = RequestReader::State;

HttpLimits control_limits() {
  HttpLimits limits;
  limits.body_bytes = 64 * 1024;
  return limits;
}

/// A valid head of exactly `size` bytes.
std::string head_of_size(std::size_t size) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: x\r\nA: ";
  return begin + std::string(size - begin.size() - 4, 'a') + "\r\n\r\n";
}

TEST(RequestReader, AHeadMayBeAsLongAsItsLimitAndNotOneByteMore) {
  for (const std::size_t size : {8191U, 8192U}) {
    RequestReader reader(HttpLimits{});
    EXPECT_EQ(reader.feed(head_of_size(size)), State::kComplete) << size;
  }
  for (const std::size_t size : {8193U, 30000U}) {
    RequestReader reader(HttpLimits{});
    EXPECT_EQ(reader.feed(head_of_size(size)), State::kRefused) << size;
    EXPECT_EQ(reader.error_status(), 431);
  }
}

TEST(RequestReader, AnEndlessRequestLineIsRefusedAtTheLimit) {
  RequestReader reader(HttpLimits{});
  for (int i = 0; i < 8191; ++i) ASSERT_EQ(reader.feed("A"), State::kReading);
  EXPECT_EQ(reader.feed("A"), State::kRefused);
  EXPECT_EQ(reader.error_status(), 414);
}

TEST(RequestReader, KeepsNoMoreThanItsLimits) {
  RequestReader reader(control_limits());
  reader.feed(std::string(10 << 20, 'x'));
  EXPECT_EQ(reader.state(), State::kRefused);
  EXPECT_LE(reader.request().size(), std::size_t{8 * 1024 + 64 * 1024});
}

TEST(RequestReader, ReadsTheSameRequestHoweverItIsCut) {
  const std::string request =
      "POST /v1/start HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{\"backends\":[]}";
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    RequestReader reader(control_limits());
    ASSERT_EQ(reader.feed(request.substr(0, cut)), State::kReading) << cut;
    ASSERT_EQ(reader.feed(request.substr(cut)), State::kComplete) << cut;
    EXPECT_EQ(reader.request(), request);
    EXPECT_FALSE(reader.has_unread_bytes());
  }
}

TEST(RequestReader, ABodyMayBeAsLongAsItsLimit) {
  const auto post = [](std::size_t length) {
    return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  };
  RequestReader reader(control_limits());
  EXPECT_EQ(reader.feed(post(65536)), State::kReading);
  EXPECT_EQ(reader.feed(std::string(65535, 'b')), State::kReading);
  EXPECT_EQ(reader.feed("b"), State::kComplete);
  RequestReader too_long(control_limits());
  EXPECT_EQ(too_long.feed(post(65537)), State::kRefused);
  EXPECT_EQ(too_long.error_status(), 413);
}

TEST(RequestReader, WhatFollowsTheRequestIsIgnored) {
  RequestReader reader(HttpLimits{});
  EXPECT_EQ(reader.feed("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"),
            State::kComplete);
  EXPECT_EQ(reader.request(), "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(reader.has_unread_bytes());
}

TEST(RequestReader, AReadOnlyFrontDoesNotWaitForTheBodyOfAPost) {
  RequestReader reader(HttpLimits{});
  EXPECT_EQ(reader.feed("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"), State::kComplete);
  EXPECT_EQ(reader.head().method, "POST");
  EXPECT_TRUE(reader.has_unread_bytes());
}

TEST(RequestReader, AReadOnlyFrontRefusesTheBodyOfAGet) {
  RequestReader reader(HttpLimits{});
  EXPECT_EQ(reader.feed("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"), State::kRefused);
  EXPECT_EQ(reader.error_status(), 413);
  RequestReader empty(HttpLimits{});
  EXPECT_EQ(empty.feed("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), State::kComplete);
}

TEST(RequestReader, BareLineFeedsAreRefusedAtOnce) {
  RequestReader reader(HttpLimits{});
  EXPECT_EQ(reader.feed("GET / HTTP/1.1\n"), State::kRefused);
  EXPECT_EQ(reader.error_status(), 400);
}

}  // namespace
}  // namespace codex
