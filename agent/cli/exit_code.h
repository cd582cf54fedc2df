#pragma once

namespace codex {

/// Exit codes of `codex-agent`, the same with and without --json.
enum ExitCode : int {
  kExitOk = 0,  ///< also: start of a running backend, stop of a stopped one
  kExitFailed = 1,
  kExitUsage = 2,         ///< command line or configuration
  kExitNotRunning = 3,    ///< `status`: at least one backend is not running
  kExitNoAgent = 4,       ///< no agent, an agent that does not answer, or an unknown backend
  kExitUnhealthy = 5,     ///< `status`: degraded or hung
  kExitRefused = 7,       ///< the port is taken by somebody else
  kExitTimedOut = 99,     ///< --timeout passed; the operation goes on
  kExitInterrupted = 130  ///< Ctrl-C while waiting; the operation goes on
};

}  // namespace codex
