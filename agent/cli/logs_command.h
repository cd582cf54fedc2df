#pragma once

#include "agent/cli/command_context.h"

namespace codex {

/// `logs [-f] [-n N] [NAME]`: the output of one backend; no agent is needed.
int run_logs_command(const CommandContext& context);

}  // namespace codex
