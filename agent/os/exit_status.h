#pragma once

namespace codex {

/// How a process ended.
struct ExitStatus {
  bool known = true;  ///< false: somebody else reaped it (it was not our child)
  int code = 0;       ///< exit code; 0 when a signal ended it
  int signal = 0;     ///< 0 when it exited by itself
  bool core_dumped = false;
};

}  // namespace codex
