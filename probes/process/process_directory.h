#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "agent/os/proc_files.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// One /proc/PID held open for the time of a sample, so that its files all belong to one process: if the
/// process ends, they answer ESRCH, never with the next owner of the pid. Any thread, one at a time.
class ProcessDirectory {
 public:
  /// `proc_fd`: descriptor of /proc or of a tree like it. False afterwards, with errno, if there is no such
  /// process.
  ProcessDirectory(int proc_fd, pid_t pid);

  /// That of /proc itself. Throws std::system_error if it cannot be looked at for want of descriptors.
  static ProcessDirectory of(pid_t pid);
  explicit operator bool() const { return static_cast<bool>(fd_); }

  /// Content of one of its files, at most 8 KiB, valid until the next read; nullopt with errno.
  std::optional<std::string_view> read(const char* name);

  /// Opens one of its files for read_again(); empty with errno.
  [[nodiscard]] UniqueFd open(const char* name) const;

  /// Opens one of its directories, for readdir(3); empty with errno.
  [[nodiscard]] UniqueFd open_directory(const char* name) const;

  /// Content, from the start, of a file opened before; nullopt with errno.
  std::optional<std::string_view> read_again(int file_fd);

  /// Open descriptors: st_size of fd/ where the kernel counts there (Linux 6.2, fs/proc/fd.c), or a walk.
  [[nodiscard]] std::optional<std::uint64_t> count_fds(bool size_is_count) const;

  /// Inodes of the sockets among its descriptors, of the first 4096 of these; none if they may not be looked
  /// at. Throws std::system_error for want of descriptors.
  [[nodiscard]] std::set<std::uint64_t> socket_inodes() const;

  /// Ids of its threads, the main one first (fs/proc/base.c, first_tid); empty with errno.
  [[nodiscard]] std::vector<pid_t> threads() const;

  /// Whether count_fds() may trust st_size under this root.
  static bool fd_size_is_count(int proc_fd);

 private:
  UniqueFd fd_;
  std::array<char, 8192> buffer_;
};

/// Inodes of the sockets of all these processes. Opens /proc anew: for looks that are rare. Throws
/// std::system_error for want of descriptors.
std::set<std::uint64_t> socket_inodes_of(const std::vector<ProcStat>& processes);

}  // namespace codex
