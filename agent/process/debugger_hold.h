#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/os/proc_files.h"

namespace codex {

/// How a debugger keeps the processes of a tree from getting on: "pid 12 (gdb) traces pid 10 (node)", "one is
/// connected to pid 10 (node)", "pid 10 (python3) waits for one"; "" without one. Ours and the tree's own
/// tracers do not count unless they have stopped it. About 20 us a process, and two walks of the socket table
/// where one may connect. Throws std::system_error for want of descriptors.
std::string describe_debugger(const std::vector<ProcStat>& members);

/// What a command line says of debuggers. Both texts NUL-separated, as in /proc/PID/cmdline and environ. Pure.
struct DebuggerOptions {
  bool listens = false;  ///< debuggers may connect: node --inspect and its kin, Python's debugpy
  bool waits = false;    ///< nothing runs before one has: --inspect-brk, --inspect-wait, --wait-for-client
};
DebuggerOptions parse_debugger_options(std::string_view cmdline, std::string_view environ_text);

}  // namespace codex
