#include "agent/os/process_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <memory>
#include <unordered_set>
#include <utility>

#include "agent/os/check.h"
#include "agent/os/files.h"
#include "agent/os/kernel_clock.h"
#include "agent/os/user_name.h"

namespace codex {

namespace {

constexpr std::size_t kMaxProcesses = 10'000;
constexpr std::size_t kMaxEnviron = 1 << 20;
// Ten thousand children with seven digits each fit.
constexpr std::size_t kMaxChildrenFile = 1 << 17;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory open_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    throw_if_short("open a directory of /proc");
    return nullptr;
  }
  Directory directory(::fdopendir(fd.get()));
  if (directory) static_cast<void>(fd.release());
  return directory;
}

std::string proc_path(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

/// Calls `visit` with every numeric entry (pid, tid or descriptor) until it returns false.
template <typename Visit>
void for_each_number(DIR* directory, Visit&& visit) {
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name(entry->d_name);
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    if (!visit(number)) return;
  }
}

/// A leader that called pthread_exit(3) shows as zombie while other threads of its process run on.
bool is_dead(const ProcStat& stat) {
  return (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1;
}

/// /proc lists processes only, yet the number of any thread leads somewhere in it, and pids that were listed
/// may be threads' by now. tgkill(2) takes the number for both and finds only a process's first thread.
bool is_thread_of_another(pid_t pid) {
  return ::syscall(SYS_tgkill, pid, pid, 0) != 0 && errno == ESRCH;
}

void append_children(pid_t pid, pid_t thread, std::vector<pid_t>& children) {
  const auto path = proc_path(pid, "task/") + std::to_string(thread) + "/children";
  const auto text = read_proc_file(AT_FDCWD, path.c_str(), kMaxChildrenFile);
  if (!text) return throw_if_short("open /proc/PID/task/TID/children");
  const auto found = parse_children(*text);
  children.insert(children.end(), found.begin(), found.end());
}

bool has_socket(pid_t pid, const std::string& link_text) {
  const auto directory = open_directory(proc_path(pid, "fd"));
  if (!directory) return false;
  bool found = false;
  for_each_number(directory.get(), [&](int fd) {
    std::array<char, 64> target{};
    const auto length =
        ::readlinkat(::dirfd(directory.get()), std::to_string(fd).c_str(), target.data(), target.size());
    found = length > 0 && std::string_view(target.data(), static_cast<std::size_t>(length)) == link_text;
    return !found;
  });
  return found;
}

std::optional<std::string> read_environ(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  auto text = read_proc_file(AT_FDCWD, proc_path(pid, "environ").c_str(), kMaxEnviron);
  if (!text) throw_if_short("open /proc/PID/environ");
  return text;
}

std::optional<ProcStat> stat_of_live(pid_t pid) {
  auto stat = read_proc_stat(pid);
  if (stat && (is_dead(*stat) || is_thread_of_another(pid))) stat.reset();
  return stat;
}

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  const auto directory = open_directory("/proc");
  if (!directory) return pids;
  for_each_number(directory.get(), [&](int pid) {
    pids.push_back(pid);
    return true;
  });
  return pids;
}

}  // namespace

std::optional<ProcStat> read_proc_stat(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  const UniqueFd fd(::open(proc_path(pid, "stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    throw_if_short("open /proc/PID/stat");
    return std::nullopt;
  }
  // 52 numbers of at most 20 digits and a name of at most 64 bytes.
  std::array<char, 2048> text;
  const auto length = ::read(fd.get(), text.data(), text.size());
  if (length <= 0) return std::nullopt;
  return parse_proc_stat({text.data(), static_cast<std::size_t>(length)});
}

std::optional<ProcessId> identify_process(pid_t pid) {
  const auto stat = stat_of_live(pid);
  if (!stat) return std::nullopt;
  return ProcessId{pid, stat->start_ticks};
}

UniqueFd open_pidfd(pid_t pid) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) throw_if_short("pidfd_open");
  return pidfd;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  if (pid <= 0) return children;
  const auto threads = open_directory(proc_path(pid, "task"));
  if (!threads) return children;
  for_each_number(threads.get(), [&](int thread) {
    append_children(pid, thread, children);
    return children.size() < kMaxProcesses;
  });
  return children;
}

std::vector<ProcStat> descendants_of(const std::vector<pid_t>& roots) {
  std::vector<ProcStat> found;
  std::unordered_set<pid_t> seen;
  std::vector<pid_t> level = roots;
  while (!level.empty()) {
    std::vector<pid_t> next;
    for (const pid_t pid : level) {
      if (found.size() >= kMaxProcesses) return found;
      if (!seen.insert(pid).second) continue;
      auto stat = read_proc_stat(pid);
      if (!stat || is_dead(*stat)) continue;
      if (stat->threads == 1) {
        append_children(pid, pid, next);
      } else {
        const auto children = children_of(pid);
        next.insert(next.end(), children.begin(), children.end());
      }
      found.push_back(std::move(*stat));
    }
    level = std::move(next);
  }
  return found;
}

bool runs_as(pid_t pid, uid_t user) {
  const auto text = read_proc_file(AT_FDCWD, proc_path(pid, "status").c_str());
  if (!text) throw_if_short("open /proc/PID/status");
  const auto status = text ? parse_proc_status(*text) : ProcStatus{};
  return status.uid == user && status.effective_uid == user;
}

std::optional<std::string> environment_of(pid_t pid, std::string_view name) {
  const auto text = read_environ(pid);
  return text ? find_in_environ(*text, name) : std::nullopt;
}

std::optional<bool> started_with(const ProcStat& process, std::string_view name, std::string_view prefix) {
  if (process.state == 'Z') return false;  // Its memory is gone for good, though other threads may live.
  const auto text = read_environ(process.pid);
  if (!text) return false;  // Gone, or not for us to read.
  if (const auto value = find_in_environ(*text, name)) return value->starts_with(prefix);
  // `process` was read first: if it has a new program since, the text is the new one's, or not there yet.
  const auto expected = process.environment_bytes;
  if (!expected || text->size() < std::min<std::uint64_t>(*expected, kMaxEnviron)) return std::nullopt;
  return false;
}

std::vector<ProcessId> find_processes_by_environment(std::string_view name, std::string_view prefix) {
  std::vector<ProcessId> found;
  std::vector<pid_t> unsettled;
  const auto look_at = [&](pid_t pid) {
    // Identity first: a pid that is reused in between is then gone by its start time, not mistaken.
    const auto stat = stat_of_live(pid);
    if (!stat) return;
    const auto answer = started_with(*stat, name, prefix);
    const ProcessId id{pid, stat->start_ticks};
    if (!answer) unsettled.push_back(pid);
    if (answer.value_or(false) && identify_process(pid) == id) found.push_back(id);
  };
  for (const pid_t pid : all_pids()) look_at(pid);
  // The walk took longer than an execve(2) does.
  for (const pid_t pid : std::exchange(unsettled, {})) look_at(pid);
  return found;
}

std::optional<ProcessDescription> describe_process(pid_t pid) {
  const auto stat = read_proc_stat(pid);
  if (!stat) return std::nullopt;
  ProcessDescription description;
  description.pid = pid;
  description.since = wall_time_of(stat->start_ticks);
  if (const auto text = read_proc_file(AT_FDCWD, proc_path(pid, "cmdline").c_str())) {
    description.command = join_cmdline(*text);
  }
  if (description.command.empty()) description.command = "[" + stat->comm + "]";
  if (const auto text = read_proc_file(AT_FDCWD, proc_path(pid, "status").c_str())) {
    if (const auto uid = parse_proc_status(*text).uid) description.user = user_name(*uid);
  }
  return description;
}

std::optional<pid_t> socket_owner(std::uint64_t inode, const std::vector<pid_t>& pids) {
  const auto link_text = "socket:[" + std::to_string(inode) + "]";
  const auto owner =
      std::find_if(pids.begin(), pids.end(), [&](pid_t pid) { return has_socket(pid, link_text); });
  if (owner == pids.end()) return std::nullopt;
  return *owner;
}

std::optional<pid_t> socket_owner_on_host(std::uint64_t inode) {
  return socket_owner(inode, all_pids());
}

WallTime wall_time_of(std::uint64_t start_ticks) {
  // What the kernel prints as btime, without its rounding to seconds and its 20 us walk of all interrupts.
  const auto boot = read_kernel_clock(CLOCK_REALTIME) - read_kernel_clock(CLOCK_BOOTTIME);
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto since_boot = std::chrono::milliseconds(start_ticks / ticks_per_second * 1000 +
                                                    start_ticks % ticks_per_second * 1000 / ticks_per_second);
  return WallTime(std::chrono::duration_cast<WallTime::duration>(boot + since_boot));
}

}  // namespace codex
