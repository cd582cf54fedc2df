#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <functional>

#include "agent/os/event_loop.h"
#include "agent/os/exit_status.h"

namespace codex {

/// Reaps every child of this process, also the orphans that PR_SET_CHILD_SUBREAPER (prctl(2)) sends us, so
/// that no zombie outlives a loop turn. Loop thread; one per process.
class Reaper {
 public:
  using Reaped = std::function<void(pid_t pid, const ExitStatus& status, const rusage& usage)>;

  /// Makes this process a sub-reaper and watches SIGCHLD. `reaped` is told of every child, in order of
  /// discovery, after the kernel has let go of the pid.
  Reaper(EventLoop& loop, Reaped reaped);

  /// Reaps what is there now; SIGCHLD does the same. Coalesced signals lose nothing: it asks until none is
  /// left.
  void reap();

 private:
  Reaped reaped_;
  SignalWatch sigchld_;
};

}  // namespace codex
