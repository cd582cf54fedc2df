#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/supervision/probe_tracker.h"
#include "agent/supervision/startup.h"
#include "exporters/snapshot.h"

namespace codex {

/// "started in 3.42 s: spawn 0.01, listen 2.10, database 0.41, respond 0.90"
std::string describe_startup(const StartupSnapshot& startup);

/// Why a start ran into its timeout: the phase it hung in, what was seen there, and what to do next.
std::string describe_start_timeout(const BackendConfig& config, std::optional<StartupPhase> waiting_for,
                                   const std::vector<ProbeTracker>& probes, const PortSnapshot* port);

}  // namespace codex
