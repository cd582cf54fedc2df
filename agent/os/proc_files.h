#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/os/process_id.h"
#include "agent/os/process_stat.h"

namespace codex {

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
