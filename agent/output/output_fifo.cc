#include "agent/output/output_fifo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "agent/os/check.h"
#include "agent/os/files.h"
#include "agent/os/peeked_fifo.h"

namespace codex {

namespace {

bool is_our_fifo(const struct stat& info) {
  return S_ISFIFO(info.st_mode) && info.st_uid == ::geteuid();
}

/// Nobody else can have opened it.
bool is_private(const struct stat& info) {
  return (info.st_mode & 0777) == 0600;
}

struct stat stat_of(int fd) {
  struct stat info {};
  check("fstat", ::fstat(fd, &info));
  return info;
}

/// Refused when the user's pipe memory is used up, or while it holds more: then the smaller size must do.
void enlarge(int fd) {
  [[maybe_unused]] const int size = ::fcntl(fd, F_SETPIPE_SZ, kPipeSize);
}

}  // namespace

UniqueFd open_output_fifo(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !is_our_fifo(info)) check("unlink", ::unlink(path.c_str()));
  if (::mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) throw_errno("mkfifo");
  UniqueFd fd(check("open FIFO", ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)));
  if (!is_our_fifo(stat_of(fd.get()))) {
    throw std::system_error(EEXIST, std::system_category(), "FIFO " + path.string());
  }
  check("fchmod", ::fchmod(fd.get(), 0600));
  enlarge(fd.get());
  return fd;
}

UniqueFd open_output_fifo_of(pid_t process, int number, const std::string& name) {
  const std::string theirs = "/proc/" + std::to_string(process) + "/fd/" + std::to_string(number);
  const UniqueFd found(::open(theirs.c_str(), O_PATH | O_CLOEXEC));
  if (!found) throw_if_short("open /proc/PID/fd");
  struct stat info {};
  if (!found || ::fstat(found.get(), &info) != 0 || !is_our_fifo(info) || !is_private(info)) return {};
  // A pipe of its own has no such name: whoever reads that one must not lose anything to us.
  const std::string ours = "/proc/self/fd/" + std::to_string(found.get());
  std::error_code error;
  std::string target = std::filesystem::read_symlink(ours, error).filename().string();
  constexpr std::string_view kRemoved = " (deleted)";
  if (target.ends_with(kRemoved)) target.resize(target.size() - kRemoved.size());
  if (target != name) return {};
  UniqueFd fd(::open(ours.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) throw_if_short("open FIFO");
  if (fd) enlarge(fd.get());
  return fd;
}

bool is_same_fifo(int fd, int other) {
  return is_same_file(stat_of(fd), stat_of(other));
}

bool is_named(int fd, const std::filesystem::path& path) {
  struct stat named {};
  return ::lstat(path.c_str(), &named) == 0 && is_same_file(named, stat_of(fd));
}

}  // namespace codex
