#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/exit_status.h"
#include "agent/policy/cause.h"
#include "agent/policy/last_words.h"

namespace codex {

/// What is known of an end that nobody asked for.
struct ExitFacts {
  ExitStatus status;                          ///< of the leader; !known when it was not our child or lives on
  std::vector<std::string> last_lines;        ///< of this generation's output, oldest first
  bool oom_kills = false;                     ///< the kernel killed somebody for memory since the start
  std::vector<std::uint16_t> database_ports;  ///< of the backend's database probes
};

struct ExitDiagnosis {
  Cause cause = Cause::kCrash;
  /// The line that says why, without labels, and its place in the code; nullopt if nothing was said. As
  /// written: not yet safe to show.
  std::optional<LastWords> words;
  std::string label;  ///< of the program that said so, where several did (speakers.h)
};

/// Why it ended: from the exit status as npm, sh and nodemon pass it on (128 + N for signal N), from what it
/// wrote last, and from the kernel's counters. Pure.
///
/// Output counts only where a program that is about to die writes it: a runtime's own message at the
/// beginning of a line, with the mark of the place where code is loaded. An application that logs
/// "SyntaxError" about a request and later crashes has crashed. Of several programs that one counts of which
/// was told that it failed, else the one that says most.
ExitDiagnosis diagnose_exit(const ExitFacts& facts);

}  // namespace codex
