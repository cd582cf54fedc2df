#pragma once

#include <cstdint>
#include <optional>

#include "agent/os/clock.h"

namespace codex {

/// This process itself, for the standard process_* metrics of Prometheus client libraries
/// (prometheus.io/docs/instrumenting/writing_clientlibs, "Process metrics").
struct SelfProcess {
  double cpu_seconds = 0;
  std::uint64_t threads = 0;
  std::uint64_t virtual_bytes = 0, resident_bytes = 0;
  WallTime started_at{};
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;            ///< soft RLIMIT_NOFILE
  std::uint64_t max_virtual_bytes = 0;  ///< soft RLIMIT_AS; 2^64-1 without a limit, as client_golang shows it
};

/// Reads /proc/self; nullopt if /proc is not there. Takes some 50 us. Any thread.
std::optional<SelfProcess> read_self_process();

}  // namespace codex
