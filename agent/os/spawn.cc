#include "agent/os/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "agent/os/check.h"

namespace codex {

namespace {

enum class Stage : int { kSession, kStdio, kDirectory, kExec };

struct Report {
  Stage stage;
  int error;
};

/// Everything the child needs, made before fork: after it only async-signal-safe calls are allowed
/// (signal-safety(7)), because the worker threads may hold locks.
struct Prepared {
  std::string program;
  std::vector<char*> argv, envp;
  std::vector<std::string> environment;
  UniqueFd null_fd;
};

std::string describe(const SpawnRequest& request, Stage stage, int error) {
  const std::string why = std::strerror(error);
  switch (stage) {
    case Stage::kSession:
      return "setsid failed: " + why;
    case Stage::kStdio:
      return "its input and output could not be attached: " + why;
    case Stage::kDirectory:
      return "cannot enter its working directory " + request.directory.string() + ": " + why +
             ". Create it or set `directory`.";
    case Stage::kExec:
      return "cannot execute " + request.command.front() + ": " + why + ". Check `" + request.setting +
             "`, its permissions and its first line (#!).";
  }
  return why;
}

const char* stage_name(Stage stage) {
  switch (stage) {
    case Stage::kSession:
      return "session";
    case Stage::kStdio:
      return "stdio";
    case Stage::kDirectory:
      return "working directory";
    case Stage::kExec:
      return "exec";
  }
  return "exec";
}

/// As execvp(3) looks a name up, but in the child's PATH and before fork.
std::string find_program(const SpawnRequest& request) {
  const std::string& name = request.command.front();
  if (name.find('/') != std::string::npos) {
    return name.front() == '/' ? name : (request.directory / name).string();
  }
  const auto path = request.environment.find("PATH");
  const std::string list = path == request.environment.end() ? "/usr/local/bin:/usr/bin:/bin" : path->second;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    const auto directory =
        end == begin ? request.directory : std::filesystem::path(list.substr(begin, end - begin));
    const std::string candidate = (directory / name).string();
    struct stat info {};
    if (::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
        ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    begin = end + 1;
  }
  throw SpawnError{"exec", ENOENT,
                   "command `" + name + "` was not found in PATH (" + list + "). Install it, or set `" +
                       request.setting + "`."};
}

Prepared prepare(const SpawnRequest& request) {
  Prepared prepared;
  prepared.program = find_program(request);
  for (const auto& argument : request.command) prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  prepared.argv.push_back(nullptr);
  for (const auto& [name, value] : request.environment) prepared.environment.push_back(name + "=" + value);
  for (auto& entry : prepared.environment) prepared.envp.push_back(entry.data());
  prepared.envp.push_back(nullptr);
  prepared.null_fd = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!prepared.null_fd)
    throw SpawnError{"stdio", errno, std::string("cannot open /dev/null: ") + std::strerror(errno)};
  return prepared;
}

[[noreturn]] void run_child(const SpawnRequest& request, const Prepared& prepared, int report_fd) {
  const auto fail = [&](Stage stage) {
    const Report report{stage, errno};
    [[maybe_unused]] const auto n = ::write(report_fd, &report, sizeof report);
    ::_exit(127);
  };
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);

  if (::setsid() < 0) fail(Stage::kSession);
  if (::dup2(request.stdin_fd >= 0 ? request.stdin_fd : prepared.null_fd.get(), 0) < 0 ||
      ::dup2(request.stdout_fd, 1) < 0 || ::dup2(request.stderr_fd, 2) < 0) {
    fail(Stage::kStdio);
  }
  // Marks rather than closes, so that the report pipe lives until exec.
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) fail(Stage::kStdio);
  if (request.open_files) ::setrlimit(RLIMIT_NOFILE, &*request.open_files);
  if (::chdir(request.directory.c_str()) < 0) fail(Stage::kDirectory);
  ::execve(prepared.program.c_str(), prepared.argv.data(), prepared.envp.data());
  fail(Stage::kExec);
  ::_exit(127);
}

}  // namespace

SpawnedProcess spawn(const SpawnRequest& request) {
  const Prepared prepared = prepare(request);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) < 0) {
    throw SpawnError{"fork", errno, std::string("pipe2: ") + std::strerror(errno)};
  }
  UniqueFd read_end(ends[0]), write_end(ends[1]);

  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (request.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(request.cgroup_fd);
  }
  // No signal may run a handler of ours in the child before its dispositions are reset.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) run_child(request, prepared, write_end.get());
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  if (pid < 0) {
    throw SpawnError{"fork", error,
                     std::string("cannot start a process: ") + std::strerror(error) +
                         ". Check limits (ulimit -u, pids.max) and memory."};
  }
  return SpawnedProcess{static_cast<pid_t>(pid), UniqueFd(pidfd), std::move(read_end)};
}

std::optional<SpawnError> read_spawn_error(int exec_pipe, const SpawnRequest& request) {
  Report report{};
  const auto n = ::read(exec_pipe, &report, sizeof report);
  if (n != static_cast<ssize_t>(sizeof report)) return std::nullopt;
  return SpawnError{stage_name(report.stage), report.error, describe(request, report.stage, report.error)};
}

}  // namespace codex
