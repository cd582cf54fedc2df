#include "agent/cli/reply_reader.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using State = ReplyReader::State;

const std::string kAnswer =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"operation\":1}";

State state_after(const std::string& bytes) {
  ReplyReader reader;
  return reader.feed(bytes);
}

/// A complete head without a body, of exactly `size` bytes.
std::string head_of_size(std::size_t size) {
  const std::string begin = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";
  return begin + std::string(size - begin.size() - 4, 'x') + "\r\n\r\n";
}

TEST(ReplyReader, ReadsTheSameAnswerHoweverItIsCut) {
  for (std::size_t cut = 0; cut < kAnswer.size(); ++cut) {
    ReplyReader reader;
    ASSERT_EQ(reader.feed(kAnswer.substr(0, cut)), State::kReading) << cut;
    ASSERT_EQ(reader.feed(kAnswer.substr(cut)), State::kComplete) << cut;
    EXPECT_EQ(reader.status(), 202);
    EXPECT_EQ(reader.take_body(), "{\"operation\":1}");
  }
}

TEST(ReplyReader, ReadsAnAnswerThatComesByteByByte) {
  ReplyReader reader;
  for (std::size_t i = 0; i + 1 < kAnswer.size(); ++i)
    ASSERT_EQ(reader.feed({&kAnswer[i], 1}), State::kReading);
  EXPECT_EQ(reader.feed("}"), State::kComplete);
  EXPECT_EQ(reader.take_body(), "{\"operation\":1}");
}

TEST(ReplyReader, IgnoresWhatFollowsTheAnswer) {
  ReplyReader reader;
  EXPECT_EQ(reader.feed(kAnswer + "HTTP/1.1 500 X\r\n\r\n"), State::kComplete);
  EXPECT_EQ(reader.feed("more"), State::kComplete);
  EXPECT_EQ(reader.status(), 202);
  EXPECT_EQ(reader.take_body(), "{\"operation\":1}");
}

TEST(ReplyReader, TakesTheLengthInAnySpelling) {
  for (const char* field : {"Content-Length: 2", "content-length:2", "CONTENT-LENGTH:\t 2"}) {
    EXPECT_EQ(state_after(std::string("HTTP/1.0 500 \r\n") + field + "\r\n\r\n{}"), State::kComplete)
        << field;
  }
  EXPECT_EQ(state_after("HTTP/1.1 200\r\nX-Content-Length: 9\r\nContent-Length: 2\r\n\r\n{}"),
            State::kComplete);
}

TEST(ReplyReader, AnAnswerWithoutOneLengthIsBroken) {
  for (const std::string fields :
       {"", "Content-Length: \r\n", "Content-Length: -1\r\n", "Content-Length: +1\r\n",
        "Content-Length: 1 1\r\n", "Content-Length: 0x1\r\n", "Content-Length: 18446744073709551616\r\n",
        "Content-Length\r\n", "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Transfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(state_after("HTTP/1.1 200 OK\r\n" + fields + "\r\n1"), State::kBroken) << fields;
  }
}

TEST(ReplyReader, StatusLinesOfNoStatusAreBroken) {
  for (const char* line :
       {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 2", "HTTP/1.1 20", "HTTP/1.1 20x OK", "HTTP/1.1 2000",
        "HTTP/1.1 -20 OK", "HTTP/1.1 099 OK", "HTTP/1.1  200", "HTTP/1.11 200 OK"}) {
    EXPECT_EQ(state_after(std::string(line) + "\r\nContent-Length: 0\r\n\r\n"), State::kBroken) << line;
  }
}

TEST(ReplyReader, AnotherProtocolIsBrokenFromItsFirstByte) {
  EXPECT_EQ(state_after("\x16"), State::kBroken);
  EXPECT_EQ(state_after("HTTP/2"), State::kBroken);
  EXPECT_EQ(state_after("\r\n"), State::kBroken);
  EXPECT_EQ(state_after("HTTP/1"), State::kReading);
}

TEST(ReplyReader, AHeadHasSixteenKibibytesAtMost) {
  EXPECT_EQ(state_after(head_of_size(16 * 1024 - 1)), State::kComplete);
  EXPECT_EQ(state_after(head_of_size(16 * 1024)), State::kComplete);
  EXPECT_EQ(state_after(head_of_size(16 * 1024 + 1)), State::kBroken);
  EXPECT_EQ(state_after("HTTP/1.1 200 " + std::string(30'000, 'x')), State::kBroken);
  EXPECT_EQ(state_after("HTTP/1.1 200 OK\r\nX: " + std::string(30'000, 'x')), State::kBroken);
}

TEST(ReplyReader, ABodyHasSixteenMebibytesAtMost) {
  const auto head = [](std::size_t length) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  };
  constexpr std::size_t kLimit = 16 * 1024 * 1024;
  EXPECT_EQ(state_after(head(kLimit)), State::kReading);
  EXPECT_EQ(state_after(head(kLimit + 1)), State::kBroken);
  ReplyReader reader;
  reader.feed(head(kLimit));
  EXPECT_EQ(reader.feed(std::string(kLimit - 1, 'x')), State::kReading);
  EXPECT_EQ(reader.feed("xy"), State::kComplete);
  EXPECT_EQ(reader.take_body().size(), kLimit);
}

}  // namespace
}  // namespace codex
