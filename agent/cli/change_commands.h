#pragma once

#include "agent/cli/command_context.h"
#include "agent/cli/documents.h"

namespace codex {

/// start, stop, restart and shutdown: asks the agent, waits for the outcome while showing it, tells the
/// results. start and restart launch an agent if none runs. Returns the exit code.
int run_change_command(const CommandContext& context);

/// 7 before any other failure before 0.
int worst_result_code(const OperationDocument& operation);

}  // namespace codex
