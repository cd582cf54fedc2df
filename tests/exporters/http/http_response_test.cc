#include "exporters/http/http_response.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(HttpResponse, HasTheFieldsEveryResponseHas) {
  HttpResponse response;
  response.body = "{}";
  EXPECT_EQ(
      wire_bytes(response, false),
      "HTTP/1.1 200 OK\r\nAccept-Ranges: none\r\nCache-Control: no-store\r\nConnection: close\r\n"
      "Content-Length: 2\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n\r\n{}");
}

TEST(HttpResponse, ForHeadIsTheSameWithoutItsBody) {
  HttpResponse response;
  response.body = "12345";
  const std::string whole = wire_bytes(response, false);
  EXPECT_EQ(wire_bytes(response, true) + "12345", whole);
}

TEST(HttpResponse, WithoutABodyIsItsStatusAlone) {
  EXPECT_EQ(
      wire_bytes(bodiless_response(404), false),
      "HTTP/1.1 404 Not Found\r\nAccept-Ranges: none\r\nCache-Control: no-store\r\nConnection: close\r\n"
      "Content-Length: 0\r\nX-Content-Type-Options: nosniff\r\n\r\n");
}

TEST(HttpResponse, ReplacesADefaultFieldByItsOwn) {
  HttpResponse response = bodiless_response(202);
  response.headers = {{"Cache-Control", "max-age=60"}, {"Vary", "Accept"}};
  EXPECT_EQ(
      wire_bytes(response, false),
      "HTTP/1.1 202 Accepted\r\nAccept-Ranges: none\r\nCache-Control: max-age=60\r\nConnection: close\r\n"
      "Content-Length: 0\r\nVary: Accept\r\nX-Content-Type-Options: nosniff\r\n\r\n");
}

TEST(HttpResponse, OfAnUnknownStatusHasNoReason) {
  EXPECT_EQ(wire_bytes(bodiless_response(299), true).find("HTTP/1.1 299 \r\n"), 0U);
}

}  // namespace
}  // namespace codex
