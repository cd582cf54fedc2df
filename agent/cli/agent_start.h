#pragma once

#include <optional>

#include "agent/cli/command_context.h"

namespace codex {

/// Makes an agent run in the background: launches the daemon and waits until it listens, or uses the one that
/// somebody else started at the same moment. Returns kExitOk, or the exit code after saying why.
int start_agent(const CommandContext& context, std::optional<TimePoint> until);

}  // namespace codex
