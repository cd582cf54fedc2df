#include "agent/record/logger.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <optional>

#include "agent/os/clock.h"
#include "agent/os/unique_fd.h"
#include "agent/record/log_line.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class LoggerTest : public ::testing::Test {
 protected:
  LoggerTest() { redactor_.add(Secret("S3cret")); }

  /// What is in the file once all is written; the logger must not be used after that.
  std::string written() {
    worker_.reset();
    return contents_of(directory_ / "agent.log");
  }

  TemporaryDirectory directory_;
  Redactor redactor_;
  std::optional<Worker> worker_{std::in_place, "disk", std::size_t{100}};
  RotatingFile file_{*worker_, directory_ / "agent.log", 1 << 20, 1};
  Logger logger_{redactor_, &file_};
};

TEST_F(LoggerTest, WritesUtcTimeLevelAndMessage) {
  logger_.warning("probe_failed backend=api");
  EXPECT_THAT(written(), MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                                      "warning probe_failed backend=api\n"));
}

TEST_F(LoggerTest, ScrubsEscapesAndBoundsEveryMessage) {
  logger_.error("password S3cret\nfake line \x1b[2J {} %s");
  logger_.error(std::string(30'000, 'x'));
  const std::string text = written();
  EXPECT_THAT(text, HasSubstr("error password ***\\x0afake line \\x1b[2J {} %s\n"));
  EXPECT_THAT(text, HasSubstr("xxx...\n"));
  EXPECT_LT(text.size(), 5000U);
}

TEST_F(LoggerTest, WritesAndCountsOnlyWhatItsLevelAdmits) {
  logger_.debug("quiet");
  logger_.info("one");
  logger_.set_level(LogLevel::kDebug);
  logger_.debug("loud");
  logger_.set_level(LogLevel::kError);
  logger_.warning("quiet");
  logger_.error("two");
  logger_.error("three");
  const std::map<std::string, std::uint64_t, std::less<>> expected = {
      {"debug", 1}, {"info", 1}, {"warning", 0}, {"error", 2}};
  EXPECT_EQ(logger_.counts(), expected);
  EXPECT_THAT(written(), Not(HasSubstr("quiet")));
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  UniqueFd reader, writer;
};

TEST_F(LoggerTest, AlsoWritesToStandardErrorWhenAsked) {
  Pipe pipe;
  {
    Logger logger(redactor_, nullptr, LogLevel::kInfo, pipe.writer.get());
    logger.info("before");
    logger.set_stderr(true);
    logger.info("S3cret during");
    logger.set_stderr(false);
    logger.info("after");
  }
  pipe.writer.reset();
  std::string text(4096, '\0');
  const ssize_t n = ::read(pipe.reader.get(), text.data(), text.size());
  ASSERT_GT(n, 0);
  text.resize(static_cast<std::size_t>(n));
  EXPECT_THAT(text, HasSubstr("info *** during\n"));
  EXPECT_THAT(text, Not(HasSubstr("before")));
  EXPECT_THAT(text, Not(HasSubstr("after")));
}

TEST_F(LoggerTest, DoesNotWaitForAStandardErrorThatNobodyReads) {
  Pipe pipe;
  Logger logger(redactor_, &file_, LogLevel::kInfo, pipe.writer.get());
  logger.set_stderr(true);
  const std::string message(1000, 'm');
  const TimePoint begin = Clock::now();
  for (int i = 0; i < 3000; ++i) logger.info(message);  // 3 MB; the pipe takes 64 KiB.
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(logger.counts().at("info"), 3000U);
  pipe.reader.reset();  // The thread that writes gets EPIPE, not SIGPIPE.
}

TEST_F(LoggerTest, LosesLinesButNeverFailsOnAFullDisk) {
  RotatingFile full(*worker_, "/dev/full", 1 << 20, 1);
  Logger logger(redactor_, &full);
  for (int i = 0; i < 100; ++i) logger.info("a line for nobody");
  worker_.reset();
  EXPECT_EQ(full.stats().bytes_written, 0U);
  EXPECT_GT(full.stats().bytes_dropped, 1000U);
}

TEST(LogLine, WritesPlainValuesAsTheyAre) {
  EXPECT_EQ(LogLine("state_changed")
                .kv("backend", "api")
                .kv("exit_code", 3)
                .kv("ready", false)
                .kv("cpu", 0.25)
                .str(),
            "state_changed backend=api exit_code=3 ready=false cpu=0.25");
  EXPECT_EQ(LogLine("x").kv("n", std::uint64_t{18446744073709551615U}).kv("m", -1).str(),
            "x n=18446744073709551615 m=-1");
}

TEST(LogLine, QuotesWhatWouldNotReadAsOneWord) {
  EXPECT_EQ(LogLine("x").kv("v", "").str(), R"(x v="")");
  EXPECT_EQ(LogLine("x").kv("v", "port taken").str(), R"(x v="port taken")");
  EXPECT_EQ(LogLine("x").kv("v", "a=b").str(), R"(x v="a=b")");
  EXPECT_EQ(LogLine("x").kv("v", "say \"hi\" \\").str(), R"(x v="say \"hi\" \\")");
  EXPECT_EQ(LogLine("x").kv("v", "a\nb\x1b").str(), R"(x v="a\x0ab\x1b")");
  EXPECT_EQ(LogLine("x").kv("v", "\xFF").str(), "x v=\"\xEF\xBF\xBD\"");
}

TEST(LogLine, CutsALongValue) {
  EXPECT_EQ(LogLine("x").kv("v", std::string(1024, 'v')).str().size(), 4 + 1024U);
  EXPECT_EQ(LogLine("x").kv("v", std::string(30'000, 'v')).str(),
            "x v=\"" + std::string(1024, 'v') + "...\"");
}

}  // namespace
}  // namespace codex
