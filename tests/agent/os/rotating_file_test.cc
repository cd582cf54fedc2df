#include "agent/os/rotating_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>

#include "agent/os/clock.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 30;

/// Waits until everything appended to `file` was written or dropped. It counts on one append being one batch.
void settle(Worker& worker) {
  for (int i = 0; i < 2; ++i) {  // A file with more to write goes to the end of the queue once.
    std::promise<void> done;
    ASSERT_TRUE(worker.submit([&done] { done.set_value(); }));
    done.get_future().wait();
  }
}

std::string lines(int count, std::string_view line = "0123456789abcde\n") {
  std::string text;
  for (int i = 0; i < count; ++i) text += line;
  return text;
}

class RotatingFileTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "logs/server.log";
  Worker worker_{"disk", 100};
};

TEST_F(RotatingFileTest, MakesDirectoryAndFileWithFixedModesAtTheFirstLine) {
  const mode_t before = ::umask(0);
  RotatingFile file(worker_, path_, kNoLimit, 3);
  settle(worker_);
  EXPECT_FALSE(std::filesystem::exists(path_.parent_path()));
  file.append("one\n");
  file.append("two\n");
  settle(worker_);
  ::umask(before);
  EXPECT_EQ(contents_of(path_), "one\ntwo\n");
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(std::filesystem::status(path_.parent_path()).permissions(), std::filesystem::perms(0750));
  EXPECT_EQ(file.stats().bytes_written, 8U);
  EXPECT_EQ(file.stats().bytes_dropped, 0U);
  EXPECT_EQ(file.stats().last_error, "");
}

TEST_F(RotatingFileTest, RotatesBetweenLinesAndKeepsTheNewestFiles) {
  RotatingFile file(worker_, path_, 100, 2);  // Six lines of 16 bytes fit.
  for (int i = 0; i < 30; ++i) {
    std::string line = std::to_string(i);
    file.append(line + std::string(15 - line.size(), '.') + "\n");
  }
  settle(worker_);
  const auto first_line = [&](const char* suffix) {
    return contents_of(path_.string() + suffix).substr(0, 2);
  };
  EXPECT_EQ(first_line(""), "24");
  EXPECT_EQ(first_line(".1"), "18");
  EXPECT_EQ(first_line(".2"), "12");
  EXPECT_FALSE(std::filesystem::exists(path_.string() + ".3"));
  for (const char* suffix : {"", ".1", ".2"}) EXPECT_EQ(contents_of(path_.string() + suffix).size(), 96U);
  EXPECT_EQ(file.stats().bytes_written, 30U * 16);
}

TEST_F(RotatingFileTest, NeverGrowsAboveItsLimitEvenByALineThatIsLonger) {
  RotatingFile file(worker_, path_, 100, 9);
  file.append(std::string(250, 'x') + "\n");
  settle(worker_);
  EXPECT_EQ(contents_of(path_.string() + ".2").size(), 100U);
  EXPECT_EQ(contents_of(path_.string() + ".1").size(), 100U);
  EXPECT_EQ(contents_of(path_).size(), 51U);
}

TEST_F(RotatingFileTest, KeepingNoneStartsAfresh) {
  RotatingFile file(worker_, path_, 32, 0);
  file.append(lines(5));
  settle(worker_);
  EXPECT_EQ(contents_of(path_), lines(1));
  EXPECT_FALSE(std::filesystem::exists(path_.string() + ".1"));
}

TEST_F(RotatingFileTest, CountsTheSizeOfAnExistingFile) {
  std::filesystem::create_directories(path_.parent_path());
  write_contents(path_, lines(5));
  RotatingFile file(worker_, path_, 96, 1);
  file.append(lines(2));
  settle(worker_);
  EXPECT_EQ(contents_of(path_.string() + ".1"), lines(6));
  EXPECT_EQ(contents_of(path_), lines(1));
}

TEST_F(RotatingFileTest, OpensAnewWhenTheFileWasRenamedRemovedOrItsDirectoryWas) {
  RotatingFile file(worker_, path_, kNoLimit, 3);
  file.append("first\n");
  settle(worker_);
  std::filesystem::rename(path_, path_.string() + ".moved");
  file.append("second\n");
  settle(worker_);
  EXPECT_EQ(contents_of(path_.string() + ".moved"), "first\n");
  EXPECT_EQ(contents_of(path_), "second\n");
  std::filesystem::remove(path_);
  file.append("third\n");
  settle(worker_);
  EXPECT_EQ(contents_of(path_), "third\n");
  std::filesystem::remove_all(path_.parent_path());
  file.append("fourth\n");
  settle(worker_);
  EXPECT_EQ(contents_of(path_), "fourth\n");
  EXPECT_EQ(file.stats().bytes_dropped, 0U);
}

TEST_F(RotatingFileTest, RefusesASymbolicLink) {
  std::filesystem::create_directories(path_.parent_path());
  write_contents(directory_ / "victim", "untouched");
  std::filesystem::create_symlink(directory_ / "victim", path_);
  RotatingFile file(worker_, path_, kNoLimit, 3);
  file.append("line\n");
  settle(worker_);
  EXPECT_EQ(contents_of(directory_ / "victim"), "untouched");
  EXPECT_EQ(file.stats().bytes_dropped, 5U);
  EXPECT_EQ(file.stats().last_error, "open " + path_.string() + ": Too many levels of symbolic links");
}

TEST_F(RotatingFileTest, RefusesADirectoryThatBecameASymbolicLink) {
  std::filesystem::create_directory(directory_ / "elsewhere");
  RotatingFile file(worker_, path_, kNoLimit, 3);
  file.append("line\n");
  settle(worker_);
  std::filesystem::remove_all(path_.parent_path());
  std::filesystem::create_directory_symlink(directory_ / "elsewhere", path_.parent_path());
  file.append("line\n");
  settle(worker_);
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "elsewhere"));
  EXPECT_EQ(file.stats().bytes_dropped, 5U);
  EXPECT_THAT(file.stats().last_error, HasSubstr("open the directory of"));
}

TEST_F(RotatingFileTest, RefusesAFifoWithoutWaitingForAReader) {
  std::filesystem::create_directories(path_.parent_path());
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  RotatingFile file(worker_, path_, kNoLimit, 3);
  file.append("line\n");
  settle(worker_);
  EXPECT_EQ(file.stats().bytes_dropped, 5U);
}

TEST_F(RotatingFileTest, TriesAFileThatCannotBeOpenedOnceASecond) {
  std::filesystem::create_directories(path_);  // A directory has the file's name.
  RotatingFile file(worker_, path_, kNoLimit, 3);
  const TimePoint begin = Clock::now();
  file.append("line\n");
  settle(worker_);
  EXPECT_THAT(file.stats().last_error, HasSubstr("Is a directory"));
  std::filesystem::remove(path_);
  while (!std::filesystem::exists(path_)) {
    ASSERT_LT(Clock::now() - begin, std::chrono::seconds(20));
    file.append("line\n");
    settle(worker_);
  }
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(950));
  EXPECT_EQ(contents_of(path_), "line\n");
  EXPECT_EQ(file.stats().last_error, "");
}

TEST_F(RotatingFileTest, DropsAndCountsOnAFullDevice) {
  RotatingFile file(worker_, "/dev/full", 100, 3);
  file.append(lines(20));
  settle(worker_);
  EXPECT_EQ(file.stats().bytes_written, 0U);
  EXPECT_EQ(file.stats().bytes_dropped, 320U);
  EXPECT_EQ(file.stats().last_error, "write /dev/full: No space left on device");
}

TEST_F(RotatingFileTest, DropsWhatAWaitingDiskHasNoRoomFor) {
  std::promise<void> release;
  ASSERT_TRUE(worker_.submit([released = release.get_future().share()] { released.wait(); }));
  RotatingFile file(worker_, path_, kNoLimit, 3);
  const std::string mebibyte(1 << 20, 'x');
  for (int i = 0; i < 10; ++i) file.append(mebibyte);
  EXPECT_EQ(file.stats().bytes_dropped, 6U << 20);
  EXPECT_THAT(file.stats().last_error, HasSubstr("does not keep up"));
  release.set_value();
  settle(worker_);
  EXPECT_EQ(file.stats().bytes_written, 4U << 20);
  EXPECT_EQ(file.stats().last_error, "");
}

TEST_F(RotatingFileTest, WritesEverythingBeforeItsWorkerEnds) {
  const std::string text = lines(1000);
  {
    Worker worker("disk", 4);
    RotatingFile file(worker, path_, kNoLimit, 3);
    for (int i = 0; i < 1000; ++i) file.append(lines(1));
  }
  EXPECT_EQ(contents_of(path_), text);
}

TEST_F(RotatingFileTest, EndsTheHalfLineThatAKilledProcessLeft) {
  std::filesystem::create_directories(path_.parent_path());
  write_contents(path_, "whole\nha");
  RotatingFile file(worker_, path_, kNoLimit, 3);
  file.append("next\n");
  settle(worker_);
  EXPECT_EQ(contents_of(path_), "whole\nha\nnext\n");
}

TEST_F(RotatingFileTest, ContinuesALineThatWasLeftUnfinishedOnPurpose) {
  const std::filesystem::path mark = directory_ / "mark";
  const auto begin_life = [&](std::string text) {
    RotatingFile file(worker_, path_, kNoLimit, 3);
    file.continue_lines(mark);
    file.append(std::move(text));
    settle(worker_);
  };
  begin_life("whole\n");
  EXPECT_FALSE(std::filesystem::exists(mark));
  begin_life("unfin");
  EXPECT_EQ(std::filesystem::status(mark).permissions(), std::filesystem::perms(0600));
  begin_life("ish");
  begin_life("ed\n");
  EXPECT_EQ(contents_of(path_), "whole\nunfinished\n");
  begin_life("unfin");
  write_contents(path_, contents_of(path_) + "ha");  // Killed while it wrote on.
  begin_life("unfinished\n");
  EXPECT_EQ(contents_of(path_), "whole\nunfinished\nunfinha\nunfinished\n");
}

TEST_F(RotatingFileTest, TellsInOrderWhatIsWritten) {
  std::string told;
  RotatingFile file(worker_, path_, kNoLimit, 3);
  std::promise<void> release;
  ASSERT_TRUE(worker_.submit([released = release.get_future().share()] { released.wait(); }));
  file.append("one\n", [&] { told += "1" + std::to_string(contents_of(path_).size()); });
  file.append("unasked\n");
  file.append("", [&] { told += " 2" + std::to_string(contents_of(path_).size()); });
  EXPECT_EQ(told, "");
  release.set_value();
  settle(worker_);
  EXPECT_EQ(told, "112 212");
}

TEST_F(RotatingFileTest, TellsWhatIsDroppedToo) {
  std::promise<void> release;
  ASSERT_TRUE(worker_.submit([released = release.get_future().share()] { released.wait(); }));
  std::string told;
  RotatingFile file(worker_, "/dev/full", kNoLimit, 3);
  file.append("refused by the disk\n", [&] { told += "disk"; });
  file.append(std::string(5 << 20, 'x'), [&] { told += "memory "; });
  EXPECT_EQ(told, "memory ");
  release.set_value();
  settle(worker_);
  EXPECT_EQ(told, "memory disk");
}

/// Runs `body` in a child process whose file systems are its own; its text is the complaint, "" if all is
/// well.
std::string in_private_mount_namespace(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) return "pipe failed";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string complaint = "cannot mount";
    if (::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) {
      complaint = body();
    }
    [[maybe_unused]] const ssize_t n = ::write(ends[1], complaint.data(), complaint.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string complaint;
  char chunk[512];
  for (ssize_t n = 0; (n = ::read(ends[0], chunk, sizeof chunk)) > 0;) {
    complaint.append(chunk, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? complaint : "the child process died";
}

TEST(RotatingFileOnASmallDisk, DropsCountsAndRecoversWithWholeLines) {
  const TemporaryDirectory directory;
  const std::string complaint = in_private_mount_namespace([&]() -> std::string {
    if (::mount("none", directory.path().c_str(), "tmpfs", 0, "size=64k") != 0) return "cannot mount";
    Worker worker("disk", 100);
    RotatingFile file(worker, directory / "server.log", kNoLimit, 3);
    write_contents(directory / "filler", std::string(32 << 10, 'f'));
    file.append(lines(10'000));
    settle(worker);
    if (file.stats().bytes_dropped < 100'000) return "too little was dropped";
    if (file.stats().bytes_written + file.stats().bytes_dropped != 160'000) return "bytes are missing";
    if (file.stats().last_error.find("No space left on device") == std::string::npos) return "no error";
    std::filesystem::remove(directory / "filler");
    file.append("recovered\n");
    settle(worker);
    if (!file.stats().last_error.empty()) return "the error stays: " + file.stats().last_error;
    const std::string text = contents_of(directory / "server.log");
    return text.ends_with("\nrecovered\n") ? "" : "the last line is glued to a torn one";
  });
  if (complaint == "cannot mount") GTEST_SKIP() << "mounting needs privileges";
  EXPECT_EQ(complaint, "");
}

TEST(RotatingFileOnASmallDisk, SurvivesTheDiskTurningReadOnly) {
  const TemporaryDirectory directory;
  const std::string complaint = in_private_mount_namespace([&]() -> std::string {
    if (::mount("none", directory.path().c_str(), "tmpfs", 0, "size=1m") != 0) return "cannot mount";
    if (::mount("none", directory.path().c_str(), "", MS_REMOUNT | MS_RDONLY, nullptr) != 0)
      return "cannot mount";
    Worker worker("disk", 100);
    RotatingFile file(worker, directory / "server.log", kNoLimit, 3);
    file.append("lost\n");
    settle(worker);
    if (file.stats().last_error.find("Read-only file system") == std::string::npos) {
      return "error: " + file.stats().last_error;
    }
    return file.stats().bytes_dropped == 5 ? "" : "the line is not counted";
  });
  if (complaint == "cannot mount") GTEST_SKIP() << "mounting needs privileges";
  EXPECT_EQ(complaint, "");
}

}  // namespace
}  // namespace codex
