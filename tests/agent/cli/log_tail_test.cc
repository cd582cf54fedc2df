#include "agent/cli/log_tail.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "tests/support/project_directory.h"

namespace codex {
namespace {

namespace fs = std::filesystem;

std::string last_lines(const std::string& content, std::size_t lines) {
  ProjectDirectory directory;
  const fs::path file = directory.write("log", content);
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  return content.substr(static_cast<std::size_t>(start_of_last_lines(fd.get(), lines)));
}

std::string everything_new(LogTail& tail) {
  std::string text;
  EXPECT_TRUE(tail.read_new([&](std::string_view piece) {
    text += piece;
    return true;
  }));
  return text;
}

TEST(LogTail, TheLastLinesAreFoundWithAndWithoutALineEnd) {
  EXPECT_EQ(last_lines("a\nb\nc\n", 2), "b\nc\n");
  EXPECT_EQ(last_lines("a\nb\nc", 2), "b\nc");
  EXPECT_EQ(last_lines("a\nb\nc\n", 1), "c\n");
  EXPECT_EQ(last_lines("a\nb\n\n", 1), "\n");
}

TEST(LogTail, MoreLinesThanThereAreIsTheWholeFile) {
  EXPECT_EQ(last_lines("a\nb\n", 2), "a\nb\n");
  EXPECT_EQ(last_lines("a\nb\n", 3), "a\nb\n");
  EXPECT_EQ(last_lines("no line end", 5), "no line end");
  EXPECT_EQ(last_lines("", 5), "");
}

TEST(LogTail, ZeroLinesIsTheEnd) {
  EXPECT_EQ(last_lines("a\nb\n", 0), "");
  EXPECT_EQ(last_lines("a", 0), "");
  EXPECT_EQ(last_lines("", 0), "");
}

TEST(LogTail, LinesLongerThanABlockAreFoundWhole) {
  const std::string giant(200'000, 'x');
  EXPECT_EQ(last_lines("first\n" + giant + "\nlast", 2), giant + "\nlast");
  EXPECT_EQ(last_lines("first\n" + giant + "\n", 1), giant + "\n");
  const std::string exactly_a_block(64 * 1024 - 1, 'y');
  EXPECT_EQ(last_lines("a\n" + exactly_a_block + "\n", 1), exactly_a_block + "\n");
}

TEST(LogTail, OnlyTheEndOfASparseGiantIsRead) {
  ProjectDirectory directory;
  const fs::path file = directory.write("log", "");
  fs::resize_file(file, std::uintmax_t{1} << 40);
  directory.append("log", "\none\ntwo\n");
  LogTail tail(file);
  ASSERT_TRUE(tail.open_at_last_lines(2));
  EXPECT_EQ(everything_new(tail), "one\ntwo\n");
}

TEST(LogTail, WhatIsAppendedIsReadOnce) {
  ProjectDirectory directory;
  LogTail tail(directory.write("log", "old\n"));
  ASSERT_TRUE(tail.open_at_last_lines(0));
  EXPECT_EQ(everything_new(tail), "");
  directory.append("log", "half");
  EXPECT_EQ(everything_new(tail), "half");
  directory.append("log", " line\n");
  EXPECT_EQ(everything_new(tail), " line\n");
  EXPECT_EQ(everything_new(tail), "");
}

TEST(LogTail, RotationLosesNoLineOfTheOldNorOfTheNewFile) {
  ProjectDirectory directory;
  const fs::path log = directory.write("log", "one\n");
  LogTail tail(log);
  ASSERT_TRUE(tail.open_at_last_lines(50));
  EXPECT_EQ(everything_new(tail), "one\n");
  directory.append("log", "two\n");
  fs::rename(log, directory.path() / "log.1");
  directory.append("log.1", "three\n");
  directory.write("log", "four\n");
  EXPECT_EQ(everything_new(tail), "two\nthree\nfour\n");
}

TEST(LogTail, BetweenRenameAndCreateItWaitsForTheName) {
  ProjectDirectory directory;
  const fs::path log = directory.write("log", "one\n");
  LogTail tail(log);
  ASSERT_TRUE(tail.open_at_last_lines(0));
  fs::rename(log, directory.path() / "log.1");
  directory.append("log.1", "two\n");
  EXPECT_EQ(everything_new(tail), "two\n");
  directory.write("log", "three\n");
  EXPECT_EQ(everything_new(tail), "three\n");
}

TEST(LogTail, ATruncatedFileIsReadFromItsStart) {
  ProjectDirectory directory;
  const fs::path log = directory.write("log", "a long first line\n");
  LogTail tail(log);
  ASSERT_TRUE(tail.open_at_last_lines(1));
  everything_new(tail);
  fs::resize_file(log, 0);
  directory.append("log", "new\n");
  EXPECT_EQ(everything_new(tail), "new\n");
}

TEST(LogTail, AFileThatIsNotThereYetIsReadFromItsStart) {
  ProjectDirectory directory;
  LogTail tail(directory.path() / "logs" / "server.log");
  EXPECT_FALSE(tail.open_at_last_lines(10));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(everything_new(tail), "");
  directory.write("logs/server.log", "first\n");
  EXPECT_EQ(everything_new(tail), "first\n");
}

TEST(LogTail, AFifoIsRefusedWithoutHanging) {
  ProjectDirectory directory;
  const fs::path fifo = directory.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  LogTail tail(fifo);
  EXPECT_FALSE(tail.open_at_last_lines(10));
  EXPECT_EQ(errno, EINVAL);
}

TEST(LogTail, ASinkThatHadEnoughEndsTheReading) {
  ProjectDirectory directory;
  LogTail tail(directory.write("log", std::string(300'000, 'x')));
  ASSERT_TRUE(tail.open_at_last_lines(1));
  int pieces = 0;
  EXPECT_FALSE(tail.read_new([&](std::string_view) { return ++pieces < 2; }));
  EXPECT_EQ(pieces, 2);
}

TEST(LogTail, AnAppendEndsTheWait) {
  ProjectDirectory directory;
  LogTail tail(directory.write("log", ""));
  ASSERT_TRUE(tail.open_at_last_lines(0));
  const TimePoint begin = Clock::now();
  std::thread writer([&] { directory.append("log", "x\n"); });
  tail.wait(std::chrono::seconds(30));
  writer.join();
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace codex
