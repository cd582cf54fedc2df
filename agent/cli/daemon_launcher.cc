#include "agent/cli/daemon_launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "agent/os/check.h"

namespace codex {
namespace {

namespace fs = std::filesystem;
constexpr int kTickMilliseconds = 100;
constexpr std::size_t kOutputLimit = 1024 * 1024;

std::vector<char*> argument_pointers(std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> command_line(const fs::path& daemon, const std::vector<std::string>& arguments) {
  std::vector<std::string> line{daemon.string()};
  line.insert(line.end(), arguments.begin(), arguments.end());
  return line;
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
  std::array<int, 2> ends{};
  check("pipe2", ::pipe2(ends.data(), O_CLOEXEC));
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd open_null(int flags) {
  return UniqueFd(check("open /dev/null", ::open("/dev/null", flags | O_CLOEXEC)));
}

struct ChildFds {
  int in, out, err;
  int keep = -1;  ///< stays open across exec
};

/// Starts a program with the given standard descriptors and a default SIGPIPE, which we ignore.
pid_t start(std::vector<std::string> line, const ChildFds& fds, bool own_session) {
  const std::vector<char*> pointers = argument_pointers(line);
  const pid_t pid = check("fork", ::fork());
  if (pid != 0) return pid;
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGINT, SIG_DFL);
  if (own_session) ::setsid();
  const bool ready = ::dup2(fds.in, STDIN_FILENO) >= 0 && ::dup2(fds.err, STDERR_FILENO) >= 0 &&
                     ::dup2(fds.out, STDOUT_FILENO) >= 0 &&
                     (fds.keep < 0 || ::fcntl(fds.keep, F_SETFD, 0) == 0);
  if (ready) ::execv(pointers[0], pointers.data());
  ::_exit(127);
}

int exit_code_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

int wait_for_exit(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw_errno("waitpid");
  return exit_code_of(status);
}

}  // namespace

fs::path find_daemon() {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = own.parent_path() / "codex-agentd";
  const fs::path library = own.parent_path().parent_path() / "libexec/codex-agent/codex-agentd";
  for (const fs::path& candidate : {beside, library})
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  throw std::runtime_error("codex-agentd is missing: neither " + beside.string() + " nor " +
                           library.string() + " can be executed; install it again");
}

void exec_daemon(const fs::path& daemon, const std::vector<std::string>& arguments) {
  std::vector<std::string> line = command_line(daemon, arguments);
  const std::vector<char*> pointers = argument_pointers(line);
  ::signal(SIGPIPE, SIG_DFL);
  ::execv(pointers[0], pointers.data());
  throw_errno(("execv " + daemon.string()).c_str());
}

DaemonOutput run_daemon(const fs::path& daemon, const std::vector<std::string>& arguments, bool show_errors) {
  auto [reading, writing] = make_pipe();
  const UniqueFd null = open_null(O_RDWR);
  const pid_t pid = start(command_line(daemon, arguments),
                          {null.get(), writing.get(), show_errors ? STDERR_FILENO : null.get()}, false);
  writing.reset();
  DaemonOutput output;
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t got = ::read(reading.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || output.text.size() > kOutputLimit) break;
    output.text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  reading.reset();
  output.exit_code = wait_for_exit(pid);
  return output;
}

LaunchedDaemon::LaunchedDaemon(const fs::path& daemon, const std::vector<std::string>& arguments) {
  auto [reading, writing] = make_pipe();
  // Above the standard descriptors even if the caller of the command line closed one of those.
  const UniqueFd ready(check("fcntl F_DUPFD_CLOEXEC", ::fcntl(writing.get(), F_DUPFD_CLOEXEC, 3)));
  writing.reset();
  std::vector<std::string> line = command_line(daemon, arguments);
  line.insert(line.end(), {"--ready-fd", std::to_string(ready.get())});
  const UniqueFd null = open_null(O_RDWR);
  output_ = UniqueFd(check("memfd_create", ::memfd_create("codex-agentd output", MFD_CLOEXEC)));
  pid_ = start(std::move(line), {null.get(), output_.get(), output_.get(), ready.get()}, true);
  ready_ = std::move(reading);
}

LaunchedDaemon::State LaunchedDaemon::wait(TimePoint deadline, const std::function<bool()>& tick) {
  while (Clock::now() < deadline && (!tick || tick())) {
    pollfd entry{ready_.get(), POLLIN, 0};
    if (::poll(&entry, 1, kTickMilliseconds) <= 0) continue;
    char byte = 0;
    const ssize_t got = ::read(ready_.get(), &byte, 1);
    if (got == 1) return State::kReady;
    if (got == 0) return state_of_end(deadline, tick);
  }
  return State::kWaiting;
}

// The pipe closes a moment before the process can be reaped, and a daemon that lost it need not end at all.
LaunchedDaemon::State LaunchedDaemon::state_of_end(TimePoint deadline, const std::function<bool()>& tick) {
  while (Clock::now() < deadline && (!tick || tick())) {
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    if (reaped < 0 && errno != EINTR) throw_errno("waitpid");
    if (reaped == pid_) {
      exit_code_ = exit_code_of(status);
      return State::kEnded;
    }
    ::poll(nullptr, 0, 5);
  }
  return State::kWaiting;
}

std::string LaunchedDaemon::output() const {
  std::string text(64 * 1024, '\0');
  const ssize_t size = ::pread(output_.get(), text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

std::optional<pid_t> recorded_agent_pid(const fs::path& state_directory) {
  const UniqueFd file(
      ::open((state_directory / "lock").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  std::array<char, 32> text{};
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (size <= 0) return std::nullopt;
  pid_t pid = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + size, pid);
  if (error != std::errc() || pid <= 0) return std::nullopt;
  return pid;
}

}  // namespace codex
