#pragma once

#include <sys/types.h>
#include <compare>
#include <cstdint>

namespace codex {

/// A process as the kernel can tell it apart from any other: a pid alone is reused, a pid with its start
/// time (clock ticks after boot, /proc/PID/stat field 22) practically never.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

}  // namespace codex
