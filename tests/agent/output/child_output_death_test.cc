#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <functional>
#include <random>

#include "agent/os/check.h"
#include "agent/output/child_output.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using namespace std::chrono_literals;

constexpr int kDeaths = 150;
constexpr std::size_t kBatch = (64 << 10) + 400;  // What is read at a time, and the rest of a line.
constexpr std::string_view kBegin = "line ", kSecret = "S3cretWord", kEnd = " end\n";

/// Lines of many lengths, so that they end anywhere in a page.
std::string numbered_line(std::uint64_t number) {
  std::string line(kBegin);
  return line.append(std::to_string(number))
      .append(" ")
      .append(kSecret)
      .append(number * 7 % 301, 'x')
      .append(kEnd);
}

/// The number of a line as it is in the log, without its newline; nothing if the line is not whole.
std::optional<std::uint64_t> number_of(std::string_view line) {
  const std::string_view end = kEnd.substr(0, kEnd.size() - 1);
  if (!line.starts_with(kBegin) || !line.ends_with(end)) return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(line.data() + kBegin.size(), line.data() + line.size(), number);
  return number;
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    check("pipe2", ::pipe2(ends.data(), O_CLOEXEC));
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
  }
  UniqueFd out, in;
};

pid_t in_a_process(const std::function<void()>& body) {
  const pid_t pid = check("fork", ::fork());
  if (pid != 0) return pid;
  try {
    body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

/// One agent, as far as output is concerned.
struct Life {
  explicit Life(const TemporaryDirectory& directory)
      : file(worker, directory / "server.log", std::uint64_t{1} << 40, 1) {
    redactor.add(Secret(std::string(kSecret)));
    // A slow machine must not look like a frozen disk.
    output.emplace(loop, redactor, file, directory.path(), "api", 10min);
  }

  EventLoop loop;
  Redactor redactor;
  Worker worker{"disk", 100};
  RotatingFile file;
  std::optional<ChildOutput> output;
};

/// Writes numbered lines in bursts and in pieces until there is something in `stop`; tells how many in
/// `count`.
void write_lines(const std::filesystem::path& fifo, const UniqueFd& stop, const UniqueFd& count) {
  const UniqueFd out(check("open FIFO", ::open(fifo.c_str(), O_RDWR | O_CLOEXEC)));
  std::mt19937 random(1);
  std::uint64_t number = 0;
  for (pollfd stopped{stop.get(), POLLIN, 0}; ::poll(&stopped, 1, 0) == 0;) {
    std::string burst;
    for (std::uint32_t lines = 1 + random() % 500; lines > 0; --lines) burst += numbered_line(number++);
    for (std::string_view rest = burst; !rest.empty();) {
      const std::size_t piece = std::min<std::size_t>(rest.size(), 1 + random() % 30'000);
      rest.remove_prefix(static_cast<std::size_t>(check("write", ::write(out.get(), rest.data(), piece))));
    }
    ::usleep(random() % 2000);  // Not always a flood.
  }
  check("write", ::write(count.get(), &number, sizeof number));
}

TEST(ChildOutputDeath, NoLineIsLostWhereverTheAgentIsKilled) {
  const TemporaryDirectory directory;
  const std::filesystem::path fifo = directory / "api.stdout";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd held(::open(fifo.c_str(), O_RDWR | O_CLOEXEC));  // As by a child that lives on.
  const Pipe stop, count;
  const pid_t writer = in_a_process([&] { write_lines(fifo, stop.out, count.in); });

  std::mt19937 random(2);
  for (int death = 0; death < kDeaths; ++death) {
    const Pipe ready;
    const pid_t agent = in_a_process([&] {
      Life life(directory);
      check("write", ::write(ready.in.get(), "", 1));
      life.loop.run();
    });
    char byte = 0;
    ASSERT_EQ(::read(ready.out.get(), &byte, 1), 1);
    ::usleep(random() % 6000);  // The moment of death.
    ASSERT_EQ(::kill(agent, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(agent, &status, 0), agent);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

  ASSERT_EQ(::write(stop.in.get(), "", 1), 1);
  Life last(directory);
  pollfd counted{count.out.get(), POLLIN, 0};
  while (::poll(&counted, 1, 0) == 0) last.loop.run_once(1ms);
  std::uint64_t lines = 0;
  ASSERT_EQ(::read(count.out.get(), &lines, sizeof lines), static_cast<ssize_t>(sizeof lines));
  ASSERT_EQ(::waitpid(writer, nullptr, 0), writer);
  bool settled = false;
  last.output->drain();
  last.output->hand_over([&] { settled = true; });
  while (!settled) last.loop.run_once(1ms);

  std::uint64_t next = 0, before = 0, torn = 0, repeated = 0, repeats = 0;
  std::size_t most = 0, repeated_bytes = 0;
  std::ifstream log(directory / "server.log", std::ios::binary);
  for (std::string line; std::getline(log, line);) {
    ASSERT_EQ(line.find(kSecret.substr(0, 4)), std::string::npos);
    const auto number = number_of(line);
    if (!number) {
      ++torn;
      continue;
    }
    ASSERT_LE(*number, before) << "lines are lost";
    if (*number < before) {
      ++repeats;
      repeated_bytes = 0;
    }
    if (*number < next) {
      ++repeated;
      repeated_bytes += numbered_line(*number).size();
      most = std::max(most, repeated_bytes);
    }
    before = *number + 1;
    next = std::max(next, before);
  }
  EXPECT_EQ(next, lines);
  EXPECT_GT(lines, 1000U);
  EXPECT_LE(repeats, static_cast<std::uint64_t>(kDeaths));
  EXPECT_LE(torn, static_cast<std::uint64_t>(kDeaths));
  EXPECT_LE(most, kBatch);
  std::printf("%d deaths, %llu lines: %llu batches came twice (%llu lines, at most %zu bytes), %llu torn\n",
              kDeaths, static_cast<unsigned long long>(lines), static_cast<unsigned long long>(repeats),
              static_cast<unsigned long long>(repeated), most, static_cast<unsigned long long>(torn));
}

}  // namespace
}  // namespace codex
