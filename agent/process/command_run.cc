#include "agent/process/command_run.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "agent/os/check.h"
#include "agent/os/signal_name.h"

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kGrace = seconds(1);
constexpr Duration kKillAgain = milliseconds(20);  // New ones may just have been forked.
constexpr Duration kGiveUp = seconds(1);
constexpr std::size_t kTailBytes = 4096;
constexpr int kShownLines = 3;
constexpr int kMostReads = 8;  // More than a pipe holds.

/// A file that lives in memory only, at its beginning: reading it never waits, whoever else sleeps.
UniqueFd file_with(const std::string& document) {
  UniqueFd file(check("memfd_create", ::memfd_create("codex-agent-stdin", MFD_CLOEXEC)));
  for (std::size_t written = 0; written < document.size();) {
    written += static_cast<std::size_t>(
        check("write", ::write(file.get(), document.data() + written, document.size() - written)));
  }
  check("lseek", ::lseek(file.get(), 0, SEEK_SET));
  return file;
}

std::string describe(const ExitStatus& status) {
  if (status.signal == 0) return "exit code " + std::to_string(status.code);
  return "signal " + signal_name(status.signal);
}

}  // namespace

std::string_view to_string(CommandRun::Result::Outcome outcome) {
  switch (outcome) {
    case CommandRun::Result::Outcome::kSuccess:
      return "success";
    case CommandRun::Result::Outcome::kFailure:
      return "failure";
    case CommandRun::Result::Outcome::kTimeout:
      return "timeout";
  }
  return "failure";
}

CommandRun::CommandRun(EventLoop& loop, const Redactor& redactor, SpawnRequest request,
                       const std::string& document, const TreeIdentity& identity, Duration time_limit)
    : loop_(loop),
      redactor_(redactor),
      time_limit_(time_limit),
      due_(loop.now() + time_limit),
      tree_(loop, identity, false,
            {[] {}, [this](const SpawnError& error) { settle(Result::Outcome::kFailure, error.message); },
             [this](const ExitStatus& status) { ended(status); }},
            kRunVariable) {
  try {
    start(std::move(request), document);
  } catch (const SpawnError& error) {
    settle(Result::Outcome::kFailure, error.message);
  } catch (const std::system_error& error) {
    settle(Result::Outcome::kFailure, error.what());
  }
}

void CommandRun::start(SpawnRequest request, const std::string& document) {
  const UniqueFd in = file_with(document);
  const UniqueFd null(check("open /dev/null", ::open("/dev/null", O_WRONLY | O_CLOEXEC)));
  std::array<int, 2> ends{};
  check("pipe2", ::pipe2(ends.data(), O_CLOEXEC));
  stderr_ = UniqueFd(ends[0]);
  const UniqueFd err(ends[1]);
  // Ours alone: the command's end is another open file description and blocks as programs expect.
  check("fcntl", ::fcntl(stderr_.get(), F_SETFL, O_NONBLOCK));
  request.stdin_fd = in.get();
  if (request.stdout_fd < 0) request.stdout_fd = null.get();
  request.stderr_fd = err.get();
  stderr_watch_ = FdWatch(
      loop_, "command stderr", stderr_.get(), EPOLLIN, [this](std::uint32_t) { read_stderr(); },
      Priority::kLow);
  tree_.spawn(std::move(request), 1);
}

/// False if there is nothing now.
bool CommandRun::read_stderr() {
  if (!stderr_) return false;
  std::array<char, 16384> buffer;
  const ssize_t n = ::read(stderr_.get(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0) {
    stderr_watch_.reset();
    stderr_.reset();
    return false;
  }
  tail_.append(buffer.data(), static_cast<std::size_t>(n));
  if (tail_.size() <= kTailBytes) return true;
  tail_.erase(0, tail_.size() - kTailBytes);
  tail_is_cut_ = true;
  return true;
}

void CommandRun::follow(TimePoint now) {
  if (now < due_) return;
  switch (phase_) {
    case Phase::kRunning:
      timed_out_ = !result_;
      for (const auto& member : tree_.members()) tree_.signal({member.pid, member.start_ticks}, SIGTERM);
      phase_ = Phase::kTerminated;
      due_ = now + kGrace;
      return;
    case Phase::kTerminated:
      return kill(now);
    case Phase::kKilled:
      tree_.kill_all();
      if (!result_ && now - killed_at_ >= kGiveUp) {
        settle(Result::Outcome::kTimeout, "it cannot be killed");
      }
      due_ = now + (now - killed_at_ < kGiveUp ? kKillAgain : kGiveUp);
      return;
  }
}

void CommandRun::kill(TimePoint now) {
  if (phase_ == Phase::kKilled) return;
  timed_out_ = !result_;
  tree_.kill_all();
  phase_ = Phase::kKilled;
  killed_at_ = now;
  due_ = now + kKillAgain;
}

void CommandRun::ended(const ExitStatus& status) {
  for (int i = 0; i < kMostReads && read_stderr(); ++i) {
  }
  if (timed_out_) return settle(Result::Outcome::kTimeout, "it did not end in time");
  const bool good = status.code == 0 && status.signal == 0;
  settle(good ? Result::Outcome::kSuccess : Result::Outcome::kFailure, good ? "" : describe(status));
}

void CommandRun::settle(Result::Outcome outcome, std::string why) {
  if (!result_) result_ = Result{outcome, redactor_.safe(why, 512), last_lines()};
}

std::string CommandRun::last_lines() const {
  std::string_view text = tail_;
  // A secret that is there by half would not be known for one: only whole lines, and no beginning of one.
  if (tail_is_cut_) text.remove_prefix(std::min(text.find('\n'), text.size()));
  std::string shown = redactor_.scrub(text.substr(0, redactor_.safe_prefix(text)));
  while (!shown.empty() && (shown.back() == '\n' || shown.back() == '\r')) shown.pop_back();
  std::size_t begin = shown.size();
  for (int line = 0; line < kShownLines && begin != 0 && begin != std::string::npos; ++line) {
    begin = shown.rfind('\n', begin - 1);
  }
  if (begin != std::string::npos) shown.erase(0, begin + (begin < shown.size() ? 1 : 0));
  for (std::size_t end = shown.find('\n'); end != std::string::npos; end = shown.find('\n', end)) {
    shown.replace(end, 1, " | ");
  }
  return shown;
}

}  // namespace codex
