#pragma once

#include <string_view>

namespace codex {

/// Why things happen: the word in transitions, events, logs and metrics.
enum class Cause {
  kStartCommand,
  kStopCommand,
  kRestartCommand,
  kAdopted,
  kReady,
  kStartTimeout,
  kProbeFailure,
  kHang,
  kMemoryLimit,
  kDependency,  ///< it did not recover by itself after its database had come back
  kWrapperIdle,
  kRetry,
  kStartLimit,
  // Ends that nobody asked for, as diagnosed (exit_diagnosis.h).
  kExit,             ///< exit code 0
  kCrash,            ///< another exit code or signal, and nothing tells why
  kSegfault,         ///< SIGSEGV, SIGBUS, SIGILL, SIGFPE
  kAbort,            ///< SIGABRT
  kHeapOom,          ///< the JavaScript heap was full
  kOomKill,          ///< the kernel's out-of-memory killer
  kPortTaken,        ///< somebody else has the port
  kModuleNotFound,   ///< a module or a program that it needs is not installed
  kSyntaxError,      ///< its code could not be compiled
  kDatabaseRefused,  ///< it gave up because the database did not take it
  kExecError,        ///< the command could not be executed
};
std::string_view to_string(Cause cause);

/// What a start that would fail again waits for, instead of a delay.
enum class Await {
  kNone,
  kChange,    ///< of a file of the project
  kDatabase,  ///< the database probe succeeds
  kPort,      ///< nobody listens on the port
};
/// "" "file_change" "database" "port"
std::string_view to_string(Await await);

/// Label `reason` of codex_agent_backend_restarts_total (exporters/snapshot.h kRestartReasons).
std::string_view restart_reason(Cause cause);

}  // namespace codex
