#include "agent/os/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <system_error>
#include <thread>

#include "agent/os/check.h"
#include "agent/os/clone_in_place.h"

namespace codex {

namespace {

enum class Stage : int { kCgroup, kSession, kStdio, kDirectory, kExec };

struct Report {
  Stage stage;
  int error;
};

/// Where the child starts; a few frames are all it needs.
constexpr std::size_t kStackBytes = 64 << 10;

/// Of the largest pid_t.
constexpr std::size_t kPidDigits = 10;

/// More than we ever have at once, and new ones get the lowest numbers.
constexpr int kMostDescriptors = 1 << 14;

/// As long as we wait for the exec of a program on a file system that answers.
constexpr timespec kExecPatience{0, 20'000'000};

/// Everything the child needs, made beforehand and owned here: it runs in our memory, at the same time as we
/// do, so it may neither allocate nor take a lock nor use errno. Lives until the child is in its own memory.
struct Launch {
  std::string program;
  std::vector<std::string> command, environment;
  std::string directory;
  std::vector<char*> argv, envp;
  char* pid_at = nullptr;  ///< in `environment`: the child's pid goes there
  UniqueFd null_fd;
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1, report_fd = -1;
  UniqueFd group_members;  ///< cgroup.procs of the group to join; empty if the child is born where it belongs
  std::optional<rlimit> open_files;
  int pidfd = -1;
  /// The kernel makes it 0, and wakes who waits for that, when the child has left our memory by exec or exit
  /// (CLONE_CHILD_CLEARTID).
  std::uint32_t in_our_memory = 1;
  std::unique_ptr<std::byte[]> stack;

  [[nodiscard]] bool has_left() { return __atomic_load_n(&in_our_memory, __ATOMIC_ACQUIRE) == 0; }

  /// Returns has_left(). No `patience` is patience without end.
  bool wait_until_left(const timespec* patience) {
    while (!has_left()) {
      if (::syscall(SYS_futex, &in_our_memory, FUTEX_WAIT, 1, patience, nullptr, 0) < 0 && errno == ETIMEDOUT)
        break;
    }
    return has_left();
  }
};

std::string describe(const SpawnRequest& request, Stage stage, int error) {
  const std::string why = std::strerror(error);
  switch (stage) {
    case Stage::kCgroup:
      return "cannot join its cgroup: " + why;
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
    case Stage::kCgroup:
      return kCgroupStage;
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

std::unique_ptr<Launch> prepare(const SpawnRequest& request, int report_fd) {
  auto launch = std::make_unique<Launch>();
  launch->program = find_program(request);
  launch->command = request.command;
  launch->directory = request.directory.string();
  for (const auto& [name, value] : request.environment) launch->environment.push_back(name + "=" + value);
  for (auto& argument : launch->command) launch->argv.push_back(argument.data());
  launch->argv.push_back(nullptr);
  for (auto& entry : launch->environment) {
    if (!request.pid_variable.empty() && entry.starts_with(request.pid_variable + "=")) {
      const std::size_t end = entry.size();
      entry.resize(end + kPidDigits);
      launch->pid_at = entry.data() + end;
    }
    launch->envp.push_back(entry.data());
  }
  launch->envp.push_back(nullptr);
  launch->null_fd = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!launch->null_fd)
    throw SpawnError{"stdio", errno, std::string("cannot open /dev/null: ") + std::strerror(errno)};
  launch->stdin_fd = request.stdin_fd >= 0 ? request.stdin_fd : launch->null_fd.get();
  launch->stdout_fd = request.stdout_fd;
  launch->stderr_fd = request.stderr_fd;
  launch->report_fd = report_fd;
  launch->open_files = request.open_files;
  launch->stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  return launch;
}

long as_long(const void* pointer) {
  return reinterpret_cast<long>(pointer);
}

/// dup2(2), which not every architecture has.
long attach(int from, int to) {
  return from == to ? raw_syscall(SYS_fcntl, to, F_SETFD, 0) : raw_syscall(SYS_dup3, from, to, 0);
}

/// Into kPidDigits zeros; a libc function might do more than that in a child that shares our memory.
void write_own_pid(char* at) {
  long pid = raw_syscall(SYS_getpid);
  std::size_t digits = 1;
  for (long rest = pid; rest >= 10; rest /= 10) ++digits;
  for (; digits > 0; pid /= 10) at[--digits] = static_cast<char>('0' + pid % 10);
}

/// Our own descriptors are close-on-exec from birth, those of a library may not be. Marks rather than closes,
/// so that the report pipe lives until exec. CLOSE_RANGE_CLOEXEC is there since Linux 5.11.
void close_all_but_stdio_on_exec() {
  if (raw_syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) >= 0) return;
  for (int fd = 3; fd < kMostDescriptors; ++fd) raw_syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
}

/// Runs in the child. Only raw_syscall() from here on.
void run_child(void* argument) {
  const auto& launch = *static_cast<const Launch*>(argument);
  const auto tell = [&](Stage stage, long result) {
    const Report report{stage, static_cast<int>(-result)};
    raw_syscall(SYS_write, launch.report_fd, as_long(&report), sizeof report);
  };
  const auto check = [&](Stage stage, long result) {
    if (result >= 0) return;
    tell(stage, result);
    raw_syscall(SYS_exit_group, 127);
  };
  // The kernel's own struct sigaction and sigset_t: all zero is SIG_DFL, or no signal.
  constexpr long kSignalSetBytes = 8;
  const std::array<long, 4> zero{};
  for (int number = 1; number < NSIG; ++number) {
    raw_syscall(SYS_rt_sigaction, number, as_long(zero.data()), 0, kSignalSetBytes);
  }
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, as_long(zero.data()), 0, kSignalSetBytes);

  // First: with few descriptors allowed to us the child may need some all the same.
  if (launch.open_files) raw_syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, as_long(&*launch.open_files), 0);
  if (launch.group_members) {
    const long result = raw_syscall(SYS_write, launch.group_members.get(), as_long("0"), 1);
    if (result < 0) tell(Stage::kCgroup, result);
  }
  check(Stage::kSession, raw_syscall(SYS_setsid));
  check(Stage::kStdio, attach(launch.stdin_fd, 0));
  check(Stage::kStdio, attach(launch.stdout_fd, 1));
  check(Stage::kStdio, attach(launch.stderr_fd, 2));
  close_all_but_stdio_on_exec();
  check(Stage::kDirectory, raw_syscall(SYS_chdir, as_long(launch.directory.c_str())));
  if (launch.pid_at != nullptr) write_own_pid(launch.pid_at);
  check(Stage::kExec, raw_syscall(SYS_execve, as_long(launch.program.c_str()), as_long(launch.argv.data()),
                                  as_long(launch.envp.data())));
}

/// For a file system that does not answer: somebody else keeps the child's memory, and we go on.
void keep_until_left(std::unique_ptr<Launch> launch) {
  Launch* const kept = launch.release();
  try {
    std::thread([kept] {
      kept->wait_until_left(nullptr);
      delete kept;
    }).detach();
  } catch (const std::system_error&) {
    // No thread to be had: the child may still need it, so it stays.
  }
}

/// Whether it is a filter's answer rather than the kernel's.
bool by_a_sandbox(long result) {
  return result == -ENOSYS || result == -EPERM;
}

/// Returns the child's pid, or -errno.
long clone_child(Launch& launch, int cgroup_fd) {
  clone_args args{};
  args.flags = CLONE_PIDFD | CLONE_CHILD_CLEARTID;
  args.pidfd = reinterpret_cast<std::uint64_t>(&launch.pidfd);
  args.child_tid = reinterpret_cast<std::uint64_t>(&launch.in_our_memory);
  args.stack = reinterpret_cast<std::uint64_t>(launch.stack.get());
  args.stack_size = kStackBytes;
  args.exit_signal = SIGCHLD;
  if (cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(cgroup_fd);
  }
  const long pid = clone_in_place(args, run_child, &launch);
  // Who is to be kept from making namespaces must not use clone3(2), into which no filter can look: systemd's
  // RestrictNamespaces= refuses it, and so do profiles for containers.
  if (!by_a_sandbox(pid)) return pid;
  if (cgroup_fd >= 0) {
    launch.group_members = UniqueFd(::openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (!launch.group_members) return -errno;
  }
  return clone_in_place_without_clone3(args, run_child, &launch);
}

}  // namespace

bool SpawnError::is_passing() const {
  return stage == "fork" || is_shortage(error);
}

SpawnedProcess spawn(const SpawnRequest& request) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) < 0) {
    throw SpawnError{"fork", errno, std::string("pipe2: ") + std::strerror(errno)};
  }
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  auto launch = prepare(request, write_end.get());

  // No signal may run a handler of ours in the child before its dispositions are reset.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  const long pid = clone_child(*launch, request.cgroup_fd);
  UniqueFd pidfd(launch->pidfd);
  if (pid > 0 && kSharesMemory && !launch->wait_until_left(&kExecPatience))
    keep_until_left(std::move(launch));
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  if (pid < 0) {
    throw SpawnError{"fork", static_cast<int>(-pid),
                     std::string("cannot start a process: ") + std::strerror(static_cast<int>(-pid)) +
                         (by_a_sandbox(pid) ? ". A sandbox (seccomp) forbids it."
                                            : ". Check limits (ulimit -u, pids.max) and memory.")};
  }
  return SpawnedProcess{static_cast<pid_t>(pid), std::move(pidfd), std::move(read_end)};
}

std::optional<SpawnError> read_spawn_error(int exec_pipe, const SpawnRequest& request) {
  Report report{};
  const auto n = ::read(exec_pipe, &report, sizeof report);
  if (n != static_cast<ssize_t>(sizeof report)) return std::nullopt;
  return SpawnError{stage_name(report.stage), report.error, describe(request, report.stage, report.error)};
}

}  // namespace codex
