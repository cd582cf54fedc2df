#pragma once

#include <string>

#include "agent/config/config.h"

namespace codex {

/// `codex-agent evidence [ID]`: lists what was kept of hangs, the newest last, or shows one incident: its id,
/// the beginning of it, or `latest`. Needs no agent. Returns 0; 1 if there is no such incident.
int evidence_command(const Config& config, const std::string& id, bool json);

}  // namespace codex
