#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/config/backend_config.h"

namespace codex {

/// Checks what concerns several parts at once: ports and files that two backends share, the agent's own
/// listener, ports that the kernel hands out to clients. `config_file` is the file as people write it.
void check_together(const AgentConfig& agent, Place listen_place, const std::vector<LoadedBackend>& backends,
                    const std::string& config_file, Diagnostics& diagnostics);

/// The range of ports that connect(2) takes from (ip(7), ip_local_port_range); {0, 0} if unknown.
std::pair<int, int> ephemeral_ports();

}  // namespace codex
