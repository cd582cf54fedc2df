#pragma once

#include <functional>
#include <optional>

#include "agent/os/event_loop.h"
#include "agent/os/proc_files.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// Tells at once when the process that has the backend's port ends. It may be nobody's child that we reap:
/// under npm and nodemon it is a grandchild (pidfd_open(2)). Loop thread.
class ProcessEndWatch {
 public:
  ProcessEndWatch(EventLoop& loop, std::function<void()> ended) : loop_(loop), ended_(std::move(ended)) {}

  /// From now on `server` is watched; nullopt: nobody. Cheap when nothing changes. Throws std::system_error
  /// for want of descriptors; then nobody is watched until the next call.
  void follow(std::optional<ProcessId> server);

 private:
  EventLoop& loop_;
  std::function<void()> ended_;
  std::optional<ProcessId> server_;
  UniqueFd pidfd_;
  FdWatch watch_;  // keep last
};

}  // namespace codex
