#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"

namespace codex {

/// `codex-agent ports`: who listens on each backend's port, asked of the kernel now, whether or not an agent
/// runs. Returns 0, or 2 for an unknown name.
int ports_command(const Config& config, const std::vector<std::string>& names, bool json);

}  // namespace codex
