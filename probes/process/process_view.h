#pragma once

#include <sys/types.h>
#include <cstdint>

#include "agent/os/clock.h"

namespace codex {

/// A closer look at the serving process.
struct ProcessView {
  pid_t tracer = 0;                 ///< who traces it (ptrace(2)), ourselves left out
  bool debugger_connected = false;  ///< a client is connected to its inspector port
  int children = 0;
  int threads = 0;  ///< 0: not known
  std::uint64_t open_fds = 0, fd_limit = 0;                ///< limit 0: none
  std::uint64_t resident_bytes = 0, heap_limit_bytes = 0;  ///< limit 0: no V8 heap
  bool threads_known = false;                              ///< the following were looked at
  std::uint64_t other_threads_cpu_nanos = 0;
  int stuck_workers = 0;          ///< threads that sit in one and the same non-idle system call
  Duration workers_stuck_for{0};  ///< the shortest of them
  int pool_size = 0;              ///< threads in libuv's pool; 0: no libuv; always known
};

}  // namespace codex
