#pragma once

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <string>

namespace codex {

/// /proc/PID/stat (proc_pid_stat(5), fs/proc/array.c do_task_stat). Field numbers as in the manual page.
struct ProcStat {
  pid_t pid = 0;                                                    // 1
  std::string comm;                                                 // 2, raw bytes, may hold anything
  char state = '?';                                                 // 3
  pid_t parent = 0;                                                 // 4
  pid_t process_group = 0;                                          // 5
  pid_t session = 0;                                                // 6
  std::uint64_t minor_faults = 0, minor_faults_children = 0;        // 10, 11
  std::uint64_t major_faults = 0, major_faults_children = 0;        // 12, 13
  std::uint64_t user_ticks = 0, system_ticks = 0;                   // 14, 15
  std::int64_t user_ticks_children = 0, system_ticks_children = 0;  // 16, 17: clamped to >= 0
  std::uint64_t threads = 0;                                        // 20
  std::uint64_t start_ticks = 0;                                    // 22
  std::uint64_t virtual_bytes = 0;                                  // 23
  std::uint64_t resident_pages = 0;                                 // 24
  /// 50, 51: what /proc/PID/environ holds; none in the midst of an execve(2), without memory, or if it is not
  /// for us to know.
  std::optional<std::uint64_t> environment_bytes;
};

}  // namespace codex
