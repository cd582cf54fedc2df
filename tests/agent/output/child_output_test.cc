#include "agent/output/child_output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <future>
#include <thread>

#include "tests/support/few_descriptors.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

void put(const UniqueFd& fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd.get(), text.data(), text.size());
    ASSERT_GT(n, 0);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Bytes in the pipe.
int waiting_in(const UniqueFd& fd) {
  int bytes = -1;
  EXPECT_EQ(::ioctl(fd.get(), FIONREAD, &bytes), 0);
  return bytes;
}

/// A disk that does not answer while this lives.
class FrozenDisk {
 public:
  explicit FrozenDisk(Worker& worker) {
    EXPECT_TRUE(worker.submit([thaw = thaw_.get_future().share()] { thaw.wait(); }));
  }
  ~FrozenDisk() { thaw_.set_value(); }
  FrozenDisk(const FrozenDisk&) = delete;
  FrozenDisk& operator=(const FrozenDisk&) = delete;

 private:
  std::promise<void> thaw_;
};

/// A process that has `out` as its stdout, while this lives.
class Writer {
 public:
  explicit Writer(int out) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::dup2(out, STDOUT_FILENO);
    ::kill(::getpid(), SIGSTOP);
    ::_exit(0);
  }
  ~Writer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Once it is what it is meant to be.
  [[nodiscard]] pid_t pid() const {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, WUNTRACED), pid_);
    return pid_;
  }

 private:
  pid_t pid_;
};

std::uint64_t resident_bytes() {
  std::uint64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

class ChildOutputTest : public ::testing::Test {
 protected:
  ChildOutputTest() {
    redactor_.add(Secret("S3cretWord"));
    begin_life();
  }

  void begin_life() { output_.emplace(loop_, redactor_, file_, directory_.path(), "api"); }

  /// As after the end of the process, with nothing in memory.
  void begin_life_of_next_process() {
    next_file_.emplace(worker_, directory_ / "server.log", 256 << 20, 1);
    output_.emplace(loop_, redactor_, *next_file_, directory_.path(), "api");
  }

  void hand_over() {
    bool settled = false;
    output_->hand_over([&] { settled = true; });
    EXPECT_FALSE(settled);
    pump_until([&] { return settled; });
  }

  void wait_for_disk() {
    for (int i = 0; i < 2; ++i) {
      std::promise<void> done;
      ASSERT_TRUE(worker_.submit([&done] { done.set_value(); }));
      done.get_future().wait();
    }
  }

  template <typename Condition>
  void pump_until(Condition condition) {
    const TimePoint end = Clock::now() + 60s;
    while (!condition()) {
      ASSERT_LT(Clock::now(), end) << "the condition never came true";
      loop_.run_once(5ms);
    }
  }

  [[nodiscard]] std::string log() const { return contents_of(directory_ / "server.log"); }

  TemporaryDirectory directory_;
  EventLoop loop_;
  Redactor redactor_;
  Worker worker_{"disk", 100};
  RotatingFile file_{worker_, directory_ / "server.log", 256 << 20, 1};
  std::optional<RotatingFile> next_file_;
  std::optional<ChildOutput> output_;
};

TEST_F(ChildOutputTest, CountsAndStoresTheLinesOfBothStreams) {
  const UniqueFd out = output_->open_for_child(0), err = output_->open_for_child(1);
  EXPECT_FALSE(output_->last_output());
  put(out, "hello\nworld\n");
  pump_until([&] { return output_->stats(0).lines == 2; });
  put(err, "oh \x1b[31mno\n");
  pump_until([&] { return output_->stats(1).lines == 1 && log().size() == 23; });
  EXPECT_EQ(log(), "hello\nworld\noh \x1b[31mno\n");
  EXPECT_EQ(output_->stats(0).bytes, 12U);
  EXPECT_EQ(output_->stats(1).bytes, 11U);
  EXPECT_TRUE(output_->last_output());
  EXPECT_THAT(output_->last_lines(), ElementsAre("hello", "world", "oh no")) << "without colours";
}

TEST_F(ChildOutputTest, MakesPrivateFifosAndGivesBlockingDescriptors) {
  struct stat info {};
  ASSERT_EQ(::lstat((directory_ / "api.stdout").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFIFO | 0600));
  const UniqueFd out = output_->open_for_child(0);
  EXPECT_EQ(::fcntl(out.get(), F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
  EXPECT_EQ(::fcntl(out.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(ChildOutputTest, AnAgentsDeathNeitherStopsTheChildNorLosesItsLines) {
  const UniqueFd out = output_->open_for_child(0);
  put(out, "before\n");
  pump_until([&] { return output_->stats(0).lines == 1; });
  output_.reset();
  for (int i = 0; i < 100; ++i) put(out, "meanwhile\n");
  begin_life();
  put(out, "after\n");
  pump_until([&] { return output_->stats(0).lines == 101; });
  pump_until([&] { return log().ends_with("after\n"); });
  EXPECT_EQ(log().size(), 7U + 100 * 10 + 6);
}

TEST_F(ChildOutputTest, ReplacesWhatIsNoFifoOfOurs) {
  output_.reset();
  std::filesystem::remove(directory_ / "api.stdout");
  std::filesystem::remove(directory_ / "api.stderr");
  write_contents(directory_ / "victim", "untouched");
  std::filesystem::create_symlink(directory_ / "victim", directory_ / "api.stdout");
  write_contents(directory_ / "api.stderr", "junk");
  begin_life();
  put(output_->open_for_child(0), "line\n");
  pump_until([&] { return output_->stats(0).lines == 1; });
  EXPECT_EQ(contents_of(directory_ / "victim"), "untouched");
  EXPECT_TRUE(std::filesystem::is_fifo(directory_ / "api.stderr"));
}

TEST_F(ChildOutputTest, MakesARemovedFifoAnewForTheNextChild) {
  std::filesystem::remove(directory_ / "api.stdout");
  const UniqueFd out = output_->open_for_child(0);
  EXPECT_TRUE(std::filesystem::is_fifo(directory_ / "api.stdout"));
  put(out, "line\n");
  pump_until([&] { return output_->stats(0).lines == 1; });
}

TEST_F(ChildOutputTest, IsReadOnWhenAFifoCannotBeMadeAnewForWantOfDescriptors) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  const UniqueFd out = output_->open_for_child(0);
  std::filesystem::remove(directory_ / "api.stdout");
  UniqueFd next;
  std::uint64_t lines = 0;
  for (int spare = 0; !next; ++spare) {
    ASSERT_LT(spare, 20);
    try {
      const test::FewDescriptors few(spare);
      next = output_->open_for_child(0);
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code().value(), EMFILE);
      put(out, "line\n");
      pump_until([&] { return output_->stats(0).lines == lines + 1; });
      ++lines;
    }
  }
  EXPECT_GT(lines, 2U);
  put(next, "line of the next\n");
  pump_until([&] { return output_->stats(0).lines == lines + 1; });
}

TEST_F(ChildOutputTest, DoesNotSpinWhenTheChildIsGone) {
  { put(output_->open_for_child(0), "last words\n"); }
  pump_until([&] { return output_->stats(0).lines == 1; });
  const TimePoint begin = Clock::now();
  loop_.run_once(50ms);
  EXPECT_GE(Clock::now() - begin, 40ms);
}

TEST_F(ChildOutputTest, StoresAnUnfinishedLineAfterAWhile) {
  const UniqueFd out = output_->open_for_child(0);
  const TimePoint begin = Clock::now();
  put(out, "password? ");
  pump_until([&] { return log() == "password? "; });
  EXPECT_GE(Clock::now() - begin, 190ms);
  EXPECT_THAT(output_->last_lines(), ElementsAre("password? "));
  put(out, "ok\n");
  pump_until([&] { return log() == "password? ok\n"; });
  EXPECT_THAT(output_->last_lines(), ElementsAre("password? ok"));
  EXPECT_EQ(output_->stats(0).lines, 1U);
}

TEST_F(ChildOutputTest, DrainEndsAnUnfinishedLineAtOnce) {
  put(output_->open_for_child(0), "complete\nno newline");
  put(output_->open_for_child(1), "trailing S3cretWo");
  output_->drain();
  EXPECT_EQ(output_->stats(0).lines, 2U);
  EXPECT_THAT(output_->last_lines(), ElementsAre("complete", "no newline", "trailing ***"));
  pump_until([&] { return log() == "complete\nno newline\ntrailing ***\n"; });
}

TEST_F(ChildOutputTest, MasksASecretThatArrivesInPieces) {
  const UniqueFd out = output_->open_for_child(0);
  put(out, "one S3cr");
  pump_until([&] { return output_->stats(0).bytes == 8; });
  put(out, "etWord one\n");
  pump_until([&] { return output_->stats(0).lines == 1; });
  put(out, "two S3cr");
  pump_until([&] { return log() == "one *** one\ntwo "; });  // The unfinished line was stored.
  put(out, "etWord two\n");
  pump_until([&] { return log() == "one *** one\ntwo *** two\n"; });
}

TEST_F(ChildOutputTest, MasksASecretAcrossTheLongestPieceOfALine) {
  const UniqueFd out = output_->open_for_child(0);
  std::string expected;
  for (std::size_t before = 16384 - 11; before <= 16384 + 1; ++before) {
    put(out, std::string(before, 'a') + "S3cretWord" + std::string(9, 'b') + "\n");
    expected += std::string(before, 'a') + "***" + std::string(9, 'b') + "\n";
    pump_until([&] { return log().size() == expected.size(); });
  }
  EXPECT_EQ(log(), expected);
}

TEST_F(ChildOutputTest, TakesAMegabyteWithoutANewline) {
  const UniqueFd out = output_->open_for_child(0);
  std::thread writer([&] { put(out, std::string(1 << 20, 'x')); });
  pump_until([&] { return log().size() == 1 << 20; });
  writer.join();
  EXPECT_EQ(output_->stats(0).lines, 0U);
  ASSERT_EQ(output_->last_lines().size(), 1U);
  EXPECT_EQ(output_->last_lines().front().size(), 1024U);
}

TEST_F(ChildOutputTest, RemembersTheNewestHundredLines) {
  const UniqueFd out = output_->open_for_child(0);
  for (int i = 0; i < 120; ++i) put(out, std::to_string(i) + "\n");
  pump_until([&] { return output_->stats(0).lines == 120; });
  const auto lines = output_->last_lines();
  ASSERT_EQ(lines.size(), 100U);
  EXPECT_EQ(lines.front(), "20");
  EXPECT_EQ(lines.back(), "119");
}

TEST_F(ChildOutputTest, DrainsABurstOfAHundredMegabytesInBoundedMemoryWhileTimersFire) {
#ifdef __SANITIZE_ADDRESS__
  constexpr std::uint64_t kSize = 10'000'000;  // The sanitizer's own memory says nothing about ours.
#else
  constexpr std::uint64_t kSize = 100'000'000;
#endif
  RotatingFile full(worker_, "/dev/full", 0, 0);  // The disk takes nothing of it.
  output_.emplace(loop_, redactor_, full, directory_.path(), "api");
  const UniqueFd out = output_->open_for_child(0);
  std::string line(99, 'x');
  line += '\n';
  const std::uint64_t before = resident_bytes();
  std::thread writer([&] {
    std::string block;
    for (int i = 0; i < 1000; ++i) block += line;
    for (std::uint64_t sent = 0; sent < kSize; sent += block.size()) put(out, block);
  });
  int ticks = 0;
  Timer ticker(loop_, "ticker", [&] {
    ++ticks;
    ticker.arm_after(1ms);
  });
  ticker.arm_after(1ms);
  std::uint64_t most = before;
  pump_until([&] {
    most = std::max(most, resident_bytes());
    return output_->stats(0).bytes == kSize;
  });
  writer.join();
  EXPECT_EQ(output_->stats(0).lines, kSize / line.size());
  EXPECT_GT(ticks, 5);
  EXPECT_LT(loop_.stats().slowest_callback, 1s);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(most - before, std::uint64_t{40} << 20);
#endif
  pump_until([&] { return full.stats().bytes_dropped == kSize; });
}

TEST_F(ChildOutputTest, TakesFromTheFifoOnlyWhatIsWritten) {
  const UniqueFd out = output_->open_for_child(0);
  {
    const FrozenDisk frozen(worker_);
    put(out, "one\ntwo\nunfinished");
    pump_until([&] { return output_->stats(0).lines == 2; });
    EXPECT_THAT(output_->last_lines(), ElementsAre("one", "two"));
    EXPECT_EQ(waiting_in(out), 18);
  }
  wait_for_disk();
  EXPECT_EQ(log(), "one\ntwo\n");
  EXPECT_EQ(waiting_in(out), 10);
  pump_until([&] { return waiting_in(out) == 0; });
  EXPECT_EQ(log(), "one\ntwo\nunfinished");
}

TEST_F(ChildOutputTest, DoesNotSpinWhileTheDiskHasAnUnfinishedLineToWait) {
  const UniqueFd out = output_->open_for_child(0);
  const FrozenDisk frozen(worker_);
  put(out, "one\nunfinished");
  pump_until([&] { return output_->stats(0).lines == 1; });
  const TimePoint begin = Clock::now();
  loop_.run_once(50ms);
  EXPECT_GE(Clock::now() - begin, 40ms);
}

TEST_F(ChildOutputTest, DrainShowsWhatTheDiskHasNotTaken) {
  const UniqueFd out = output_->open_for_child(0);
  {
    const FrozenDisk frozen(worker_);
    put(out, "one\n");
    pump_until([&] { return output_->stats(0).lines == 1; });
    put(out, "two\nlast words");
    output_->drain();
    EXPECT_THAT(output_->last_lines(), ElementsAre("one", "two", "last words"));
    EXPECT_EQ(waiting_in(out), 18);
  }
  pump_until([&] { return waiting_in(out) == 0; });
  EXPECT_EQ(log(), "one\ntwo\nlast words\n");
}

TEST_F(ChildOutputTest, ADiskThatDoesNotAnswerHoldsTheChildForAMomentOnly) {
  constexpr std::uint64_t kSize = 16 << 20;
  const UniqueFd out = output_->open_for_child(0);
  {
    const FrozenDisk frozen(worker_);
    std::thread writer([&] {
      for (std::uint64_t sent = 0; sent < kSize; sent += 1024) put(out, std::string(1023, 'x') + "\n");
    });
    pump_until([&] { return output_->stats(0).bytes == kSize; });
    writer.join();
    EXPECT_EQ(waiting_in(out), 0);
    EXPECT_GT(file_.stats().bytes_dropped, kSize - (std::uint64_t{5} << 20));
    EXPECT_LT(loop_.stats().slowest_callback, 1s);
  }
  wait_for_disk();
  EXPECT_EQ(file_.stats().bytes_written + file_.stats().bytes_dropped, kSize);
  // The disk is well again, and so is the care.
  const FrozenDisk frozen(worker_);
  put(out, "again\n");
  pump_until([&] { return output_->stats(0).bytes == kSize + 6; });
  EXPECT_EQ(waiting_in(out), 6);
}

TEST_F(ChildOutputTest, AFullDiskHoldsNothingUp) {
  RotatingFile full(worker_, "/dev/full", 0, 0);
  output_.emplace(loop_, redactor_, full, directory_.path(), "api", 1min);
  const UniqueFd out = output_->open_for_child(0);
  for (int i = 1; i <= 20; ++i) {
    put(out, "lost\n");
    pump_until([&] { return full.stats().bytes_dropped == 5U * static_cast<unsigned>(i); });
    pump_until([&] { return waiting_in(out) == 0; });
  }
  EXPECT_EQ(output_->stats(0).lines, 20U);
}

TEST_F(ChildOutputTest, TakesALineLongerThanThePipe) {
  const UniqueFd out = output_->open_for_child(0);
  const std::string line = std::string(3 << 20, 'x') + "\n";
  std::thread writer([&] { put(out, line); });
  pump_until([&] { return output_->stats(0).lines == 1; });
  writer.join();
  pump_until([&] { return log().size() == line.size(); });
  EXPECT_EQ(log(), line);
}

TEST_F(ChildOutputTest, TakesALongLineThroughASmallPipe) {
  const UniqueFd out = output_->open_for_child(0);
  ASSERT_GE(::fcntl(out.get(), F_SETPIPE_SZ, 4096), 4096);  // All that a user of many pipes may get.
  const std::string line = std::string(100'000, 'x') + "\n";
  const TimePoint begin = Clock::now();
  std::thread writer([&] { put(out, line); });
  pump_until([&] { return output_->stats(0).lines == 1; });
  writer.join();
  EXPECT_LT(Clock::now() - begin, 4s);  // Not a page at each delay of an unfinished line.
  pump_until([&] { return log() == line; });
}

TEST_F(ChildOutputTest, MasksASecretAcrossTwoBatches) {
  constexpr std::size_t kBatch = 64 << 10;
  const UniqueFd out = output_->open_for_child(0);
  std::string expected;
  for (std::size_t before = kBatch - 11; before <= kBatch + 1; ++before) {
    const std::string lines = std::string(1000, 'a') + "\n" + std::string(before - 1001, 'b');
    put(out, lines + "S3cretWord c\n");
    expected += lines + "*** c\n";
    pump_until([&] { return log().size() == expected.size(); });
  }
  EXPECT_EQ(log(), expected);
}

TEST_F(ChildOutputTest, MasksASecretAcrossTwoLives) {
  const UniqueFd out = output_->open_for_child(0);
  put(out, "one S3cr");
  pump_until([&] { return output_->stats(0).bytes == 8; });
  hand_over();
  begin_life_of_next_process();
  put(out, "etWord one\ntwo S3cr");
  pump_until([&] { return log() == "one *** one\ntwo "; });
  hand_over();
  EXPECT_EQ(waiting_in(out), 4);
  begin_life_of_next_process();
  put(out, "etWord two\n");
  pump_until([&] { return log() == "one *** one\ntwo *** two\n"; });
}

TEST_F(ChildOutputTest, HandingOverLeavesAnUnfinishedLineToTheNext) {
  const UniqueFd out = output_->open_for_child(0);
  put(out, "complete\nunfin");
  pump_until([&] { return output_->stats(0).lines == 1; });
  hand_over();
  EXPECT_EQ(log(), "complete\n");
  put(out, "ished\n");
  output_->drain();  // The child's end is for the next agent to see.
  loop_.run_once(20ms);
  EXPECT_EQ(waiting_in(out), 11);
  begin_life_of_next_process();
  pump_until([&] { return log() == "complete\nunfinished\n"; });
}

TEST_F(ChildOutputTest, TheNextContinuesAnUnfinishedLineThatWasStored) {
  const UniqueFd out = output_->open_for_child(0);
  put(out, "password? ");
  pump_until([&] { return log() == "password? "; });
  hand_over();
  begin_life_of_next_process();
  put(out, "ok\n");
  pump_until([&] { return log() == "password? ok\n"; });
}

TEST_F(ChildOutputTest, HandingOverWaitsForWhatAnImpatientDrainTook) {
  const UniqueFd out = output_->open_for_child(0);
  {
    const FrozenDisk frozen(worker_);
    put(out, "one\n");
    pump_until([&] { return output_->stats(0).lines == 1; });
    put(out, "two\n");
    pump_until([&] { return output_->stats(0).lines == 2; });
    EXPECT_EQ(waiting_in(out), 0);
  }
  hand_over();
  EXPECT_EQ(log(), "one\ntwo\n");
}

TEST_F(ChildOutputTest, HandingOverDoesNotWaitForAFrozenDiskAndTakesNothingLater) {
  const UniqueFd out = output_->open_for_child(0);
  {
    const FrozenDisk frozen(worker_);
    put(out, "kept\n");
    pump_until([&] { return output_->stats(0).lines == 1; });
    const TimePoint begin = Clock::now();
    hand_over();
    EXPECT_GE(Clock::now() - begin, 900ms);
    output_.reset();
  }
  wait_for_disk();
  EXPECT_EQ(waiting_in(out), 5);
  begin_life_of_next_process();
  pump_until([&] { return log() == "kept\nkept\n"; });
}

TEST_F(ChildOutputTest, AdoptsTheFifosThatAWipedDirectoryTookTheNamesOf) {
  const UniqueFd out = output_->open_for_child(0);
  const Writer child(out.get());
  output_.reset();
  std::filesystem::remove(directory_ / "api.stdout");
  put(out, "nobody reads this\n");
  begin_life_of_next_process();
  loop_.run_once(20ms);
  EXPECT_EQ(output_->stats(0).lines, 0U);
  output_->adopt(child.pid());
  pump_until([&] { return output_->stats(0).lines == 1; });
  std::thread writer([&] {
    for (int i = 0; i < 2048; ++i) put(out, std::string(1023, 'x') + "\n");
  });
  pump_until([&] { return output_->stats(0).lines == 2049; });
  writer.join();
  pump_until([&] { return log().size() == 18 + (2 << 20); });
  // The next child gets the FIFO that has the name.
  put(output_->open_for_child(0), "next child\n");
  pump_until([&] { return log().ends_with("next child\n"); });
}

TEST_F(ChildOutputTest, AdoptingChangesNothingIfTheChildHasOurFifo) {
  const UniqueFd out = output_->open_for_child(0);
  const Writer child(out.get());
  put(out, "unfin");
  pump_until([&] { return output_->stats(0).bytes == 5; });
  output_->adopt(child.pid());
  put(out, "ished\n");
  pump_until([&] { return log() == "unfinished\n"; });
}

TEST_F(ChildOutputTest, NeverTakesAPipeOfTheChildsOwn) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]), writer(ends[1]);
  ASSERT_EQ(::mkfifo((directory_ / "other").c_str(), 0600), 0);
  const UniqueFd other(::open((directory_ / "other").c_str(), O_RDWR | O_CLOEXEC));
  for (const UniqueFd* pipe : {&writer, &other}) {
    const Writer child(pipe->get());
    put(*pipe, "for another\n");
    output_->adopt(child.pid());
    loop_.run_once(20ms);
  }
  EXPECT_EQ(waiting_in(reader), 12);
  EXPECT_EQ(waiting_in(other), 12);
  put(output_->open_for_child(0), "ours\n");
  pump_until([&] { return output_->stats(0).lines == 1; });
}

}  // namespace
}  // namespace codex
