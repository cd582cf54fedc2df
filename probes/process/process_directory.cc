#include "probes/process/process_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

#include "agent/os/check.h"

namespace codex {

namespace {

constexpr std::size_t kMostDescriptors = 4096;

/// Calls `visit` with every numeric name of a directory; false with errno if it cannot be read.
template <typename Visit>
bool for_each_number(int parent_fd, const char* name, Visit&& visit) {
  UniqueFd fd(::openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return false;
  DIR* directory = ::fdopendir(fd.get());
  if (directory == nullptr) return false;
  static_cast<void>(fd.release());
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view text(entry->d_name);
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) visit(number);
  }
  const int error = errno;
  ::closedir(directory);
  errno = error;
  return error == 0;
}

}  // namespace

ProcessDirectory::ProcessDirectory(int proc_fd, pid_t pid)
    : fd_(::openat(proc_fd, std::to_string(pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

ProcessDirectory ProcessDirectory::of(pid_t pid) {
  const UniqueFd proc(check("open /proc", ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)));
  ProcessDirectory process(proc.get(), pid);
  if (!process) throw_if_short("open /proc/PID");
  return process;
}

std::optional<std::string_view> ProcessDirectory::read(const char* name) {
  const int file = ::openat(fd_.get(), name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const auto text = read_again(file);
  const int error = errno;
  ::close(file);
  errno = error;
  return text;
}

UniqueFd ProcessDirectory::open(const char* name) const {
  return UniqueFd(::openat(fd_.get(), name, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

UniqueFd ProcessDirectory::open_directory(const char* name) const {
  return UniqueFd(::openat(fd_.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::optional<std::string_view> ProcessDirectory::read_again(int file_fd) {
  const auto length = ::pread(file_fd, buffer_.data(), buffer_.size(), 0);
  if (length < 0) return std::nullopt;
  return std::string_view(buffer_.data(), static_cast<std::size_t>(length));
}

std::optional<std::uint64_t> ProcessDirectory::count_fds(bool size_is_count) const {
  if (size_is_count) {
    struct stat info {};
    if (::fstatat(fd_.get(), "fd", &info, 0) != 0) return std::nullopt;
    return static_cast<std::uint64_t>(info.st_size);
  }
  std::uint64_t count = 0;
  if (!for_each_number(fd_.get(), "fd", [&count](int) { ++count; })) return std::nullopt;
  return count;
}

std::set<std::uint64_t> ProcessDirectory::socket_inodes() const {
  std::set<std::uint64_t> inodes;
  UniqueFd fd = open_directory("fd");
  DIR* directory = fd ? ::fdopendir(fd.get()) : nullptr;
  if (directory == nullptr) {
    throw_if_short("open /proc/PID/fd");
    return inodes;
  }
  static_cast<void>(fd.release());
  std::size_t looked_at = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (++looked_at > kMostDescriptors) break;
    char target[64];
    const auto length = ::readlinkat(::dirfd(directory), entry->d_name, target, sizeof target);
    constexpr std::string_view kSocket = "socket:[";
    std::string_view text(target, length < 0 ? 0 : static_cast<std::size_t>(length));
    if (!text.starts_with(kSocket)) continue;
    std::uint64_t inode = 0;
    std::from_chars(text.data() + kSocket.size(), text.data() + text.size(), inode);
    if (inode != 0) inodes.insert(inode);
  }
  ::closedir(directory);
  return inodes;
}

std::vector<pid_t> ProcessDirectory::threads() const {
  std::vector<pid_t> threads;
  if (!for_each_number(fd_.get(), "task", [&threads](int tid) { threads.push_back(tid); })) threads.clear();
  return threads;
}

bool ProcessDirectory::fd_size_is_count(int proc_fd) {
  struct stat info {};
  // We have at least `proc_fd` open ourselves; older kernels say 0.
  return ::fstatat(proc_fd, "self/fd", &info, 0) == 0 && info.st_size > 0;
}

std::set<std::uint64_t> socket_inodes_of(const std::vector<ProcStat>& processes) {
  std::set<std::uint64_t> inodes;
  for (const auto& stat : processes) {
    const auto process = ProcessDirectory::of(stat.pid);
    if (process) inodes.merge(process.socket_inodes());
  }
  return inodes;
}

}  // namespace codex
