#include "agent/policy/cause.h"

namespace codex {

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::kStartCommand:
      return "start_command";
    case Cause::kStopCommand:
      return "stop_command";
    case Cause::kRestartCommand:
      return "restart_command";
    case Cause::kAdopted:
      return "adopted";
    case Cause::kReady:
      return "ready";
    case Cause::kStartTimeout:
      return "start_timeout";
    case Cause::kProbeFailure:
      return "probe_failure";
    case Cause::kHang:
      return "hang";
    case Cause::kMemoryLimit:
      return "memory_limit";
    case Cause::kDependency:
      return "dependency";
    case Cause::kWrapperIdle:
      return "wrapper_idle";
    case Cause::kRetry:
      return "retry";
    case Cause::kStartLimit:
      return "start_limit";
    case Cause::kExit:
      return "exit";
    case Cause::kCrash:
      return "crash";
    case Cause::kSegfault:
      return "segfault";
    case Cause::kAbort:
      return "abort";
    case Cause::kHeapOom:
      return "heap_oom";
    case Cause::kOomKill:
      return "oom_kill";
    case Cause::kPortTaken:
      return "port_taken";
    case Cause::kModuleNotFound:
      return "module_not_found";
    case Cause::kSyntaxError:
      return "syntax_error";
    case Cause::kDatabaseRefused:
      return "db_refused";
    case Cause::kExecError:
      return "exec_error";
  }
  return "";
}

std::string_view to_string(Await await) {
  switch (await) {
    case Await::kNone:
      return "";
    case Await::kChange:
      return "file_change";
    case Await::kDatabase:
      return "database";
    case Await::kPort:
      return "port";
  }
  return "";
}

std::string_view restart_reason(Cause cause) {
  switch (cause) {
    case Cause::kExit:
      return "exit";
    case Cause::kCrash:
    case Cause::kSegfault:
    case Cause::kAbort:
    case Cause::kHeapOom:
    case Cause::kModuleNotFound:
    case Cause::kSyntaxError:
    case Cause::kExecError:
    case Cause::kStartLimit:
      return "crash";
    case Cause::kOomKill:
      return "oom_kill";
    case Cause::kHang:
      return "hang";
    case Cause::kProbeFailure:
      return "probe_failure";
    case Cause::kStartTimeout:
      return "startup_timeout";
    case Cause::kMemoryLimit:
      return "memory_limit";
    case Cause::kWrapperIdle:
      return "wrapper_idle";
    case Cause::kDependency:
    case Cause::kDatabaseRefused:
    case Cause::kPortTaken:
      return "dependency";
    case Cause::kStartCommand:
    case Cause::kStopCommand:
    case Cause::kRestartCommand:
    case Cause::kAdopted:
    case Cause::kReady:
    case Cause::kRetry:
      return "manual";
  }
  return "manual";
}

}  // namespace codex
