#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"

namespace codex {

/// `codex-agent stack`: the JavaScript stack of the process that has each backend's port, read from outside
/// now (probes/js_stack/js_stack.h), whether or not an agent runs. Only of a process that an agent of this project
/// started. Returns 0, 1 if no stack could be read of some backend, or 2 for an unknown name.
int stack_command(const Config& config, const std::vector<std::string>& names, bool json);

}  // namespace codex
