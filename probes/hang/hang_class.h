#pragma once

#include <string_view>

namespace codex {

/// Why a backend makes no progress: the closed set of label `class` of the hang metrics.
enum class HangClass {
  kSpin,            ///< runs, and never returns to its event loop
  kGc,              ///< as spin, but with a heap near its limit that the collector works on
  kSyncChild,       ///< waits in place for a child process (execSync)
  kFutex,           ///< waits for a lock (Atomics.wait)
  kBlockedSyscall,  ///< waits in another system call
  kStopped,         ///< SIGSTOP or job control
  kDiskWait,        ///< waits for a disk or a file system in user space; signals do not reach it
  kHandler,         ///< the event loop turns, requests are not answered, and nothing outside is to blame
  kDbWait,          ///< requests wait, and so do queries on database connections
  kPoolExhausted,   ///< requests wait, more of them than there are database connections, and those are silent
  kUpstream,        ///< requests wait, and so do connections to another server
  kThreadpool,      ///< libuv's threads are all stuck: whatever needs a file or a name waits for ever
  kFdExhausted,     ///< no descriptors left: connections are dropped at once
  kStartupStuck,    ///< does not listen and does nothing
  kStarved,         ///< could run, but the host gives it no CPU
  kPaused,          ///< held by a debugger
};
inline constexpr HangClass kHangClasses[] = {HangClass::kSpin,           HangClass::kGc,
                                             HangClass::kSyncChild,      HangClass::kFutex,
                                             HangClass::kBlockedSyscall, HangClass::kStopped,
                                             HangClass::kDiskWait,       HangClass::kHandler,
                                             HangClass::kDbWait,         HangClass::kPoolExhausted,
                                             HangClass::kUpstream,       HangClass::kThreadpool,
                                             HangClass::kFdExhausted,    HangClass::kStartupStuck,
                                             HangClass::kStarved,        HangClass::kPaused};

std::string_view to_string(HangClass hang);  ///< "spin" "gc" "sync_child" ...

}  // namespace codex
