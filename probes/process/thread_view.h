#pragma once

#include <cstdint>
#include <string>

namespace codex {

/// What a thread waits in, as far as it matters; from /proc/PID/task/TID/syscall.
enum class WaitKind {
  kNone,   ///< runs, or cannot be told (stopped, no permission)
  kEpoll,  ///< epoll_wait and its kin: an event loop
  kPoll,   ///< poll, select and their kin
  kFutex,
  kChild,  ///< wait4, waitid, and the parent's side of vfork
  kRead,
  kOther,
  kAccept,  ///< accept and accept4: a server without an event loop
};

/// One thread at one moment.
struct ThreadView {
  char state = '?';  ///< /proc/PID/stat field 3
  WaitKind waits_in = WaitKind::kNone;
  int syscall = -1;             ///< its number, -1: none or unknown
  std::uint64_t argument = 0;   ///< its first argument, e.g. the epoll descriptor
  std::string wchan;            ///< kernel function it sleeps in, "" if it runs or we may not know
  std::uint64_t cpu_nanos = 0;  ///< CPU time received so far (schedstat)
  std::uint64_t read_calls = 0, write_calls = 0;  ///< so far (syscr, syscw)
};

}  // namespace codex
