#pragma once

#include "agent/cli/command_context.h"

namespace codex {

/// `status`: prints the status and returns 0, 3, 4 or 5.
int run_status_command(const CommandContext& context);

/// `events [-f]`: the agent's events, or those in the state directory if no agent runs.
int run_events_command(const CommandContext& context);

/// `__names`, for completion scripts: the backends' names, one a line, silent in trouble.
int run_names_command(const CommandContext& context);

}  // namespace codex
