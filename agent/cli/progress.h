#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/cli/documents.h"
#include "agent/os/clock.h"

namespace codex {

/// What a waiting command shows of the backends it waits for. Pure; the terminal is not its business.
class Progress {
 public:
  /// One line for a terminal, rewritten in place: `codex   starting 2.1 s   spawn 0.01 ✓  listen 2.10 …`,
  /// several backends joined by ` | `. `elapsed`: since the command.
  [[nodiscard]] static std::string live_line(const OperationDocument& operation, Duration elapsed);

  /// Lines to add to a log since the last call: one for each backend whose state or phase is new.
  std::vector<std::string> new_lines(const OperationDocument& operation);

 private:
  std::map<std::string, std::string> shown_;  // by backend
};

}  // namespace codex
