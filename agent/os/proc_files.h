#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace codex {

/// A process as the kernel can tell it apart from any other: a pid alone is reused, a pid with its start
/// time (clock ticks after boot, /proc/PID/stat field 22) practically never.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

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

/// nullopt if the text is not a stat line. comm ends at the *last* ')'.
std::optional<ProcStat> parse_proc_stat(std::string_view text);

/// The lines of /proc/PID/status that we use; a missing line leaves its field empty.
struct ProcStatus {
  std::optional<std::uint64_t> swap_bytes;            // VmSwap
  std::optional<std::uint64_t> voluntary_switches;    // voluntary_ctxt_switches
  std::optional<std::uint64_t> involuntary_switches;  // nonvoluntary_ctxt_switches
  std::optional<uid_t> uid, effective_uid;            // Uid, the first two
};
ProcStatus parse_proc_status(std::string_view text);

/// /proc/PID/io (proc_pid_io(5)).
struct ProcIo {
  std::uint64_t read_bytes = 0;
  std::uint64_t write_bytes = 0;
};
std::optional<ProcIo> parse_proc_io(std::string_view text);

/// "Max open files" soft limit of /proc/PID/limits; nullopt if unlimited or absent.
std::optional<std::uint64_t> parse_open_files_limit(std::string_view text);

/// Pss in bytes of /proc/PID/smaps_rollup.
std::optional<std::uint64_t> parse_smaps_rollup_pss(std::string_view text);

/// Space-separated pids of /proc/PID/task/TID/children.
std::vector<pid_t> parse_children(std::string_view text);

/// Value of NAME in a NUL-separated /proc/PID/environ.
std::optional<std::string> find_in_environ(std::string_view environ_text, std::string_view name);

/// NUL-separated cmdline as one readable line, trailing NULs dropped, e.g. "node server.js".
std::string join_cmdline(std::string_view text);

}  // namespace codex
