#include "probes/hang/hang_class.h"

namespace codex {

std::string_view to_string(HangClass hang) {
  switch (hang) {
    case HangClass::kSpin:
      return "spin";
    case HangClass::kGc:
      return "gc";
    case HangClass::kSyncChild:
      return "sync_child";
    case HangClass::kFutex:
      return "futex";
    case HangClass::kBlockedSyscall:
      return "blocked_syscall";
    case HangClass::kStopped:
      return "stopped";
    case HangClass::kDiskWait:
      return "disk_wait";
    case HangClass::kHandler:
      return "handler";
    case HangClass::kDbWait:
      return "db_wait";
    case HangClass::kPoolExhausted:
      return "pool_exhausted";
    case HangClass::kUpstream:
      return "upstream";
    case HangClass::kThreadpool:
      return "threadpool";
    case HangClass::kFdExhausted:
      return "fd_exhausted";
    case HangClass::kStartupStuck:
      return "startup_stuck";
    case HangClass::kStarved:
      return "starved";
    case HangClass::kPaused:
      return "paused";
  }
  return "";
}

}  // namespace codex
