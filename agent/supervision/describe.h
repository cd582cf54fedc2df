#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/os/process_table.h"
#include "agent/policy/probe_tracker.h"
#include "agent/policy/startup.h"
#include "exporters/snapshot.h"
#include "probes/process/memory_meter.h"

namespace codex {

/// "started in 3.42 s: spawn 0.01, listen 2.10, database 0.41, respond 0.90"
std::string describe_startup(const StartupSnapshot& startup);

/// Why a start ran into its timeout: the phase it hung in, what was seen there (`absence`: as in PortWatch),
/// and `hang`: what it was found to do, "does not listen on its port, and does nothing; it waits for
/// 127.0.0.1:8080", or "".
std::string describe_start_timeout(const BackendConfig& config, std::optional<StartupPhase> waiting_for,
                                   const std::vector<ProbeTracker>& probes, const std::string& absence,
                                   const std::string& hang);

/// "http failing 2 of 3": the checks of a running backend that failed last, though not often enough to say
/// anything of its health; "" if all is well.
std::string describe_doubts(const std::vector<ProbeSnapshot>& probes);

/// The probe that asks the backend's database server; nullptr without one.
const ProbeSpec* own_database(const BackendConfig& config);
/// Where that server listens; nullopt without one.
std::optional<std::uint16_t> own_database_port(const BackendConfig& config);

/// The TCP port that a database probe asks; PostgreSQL's own without one in the target.
std::uint16_t database_port(const ProbeSpec& probe);

/// "Memory limit: the tree uses 530 MiB (shared pages once), the limit is 512 MiB; most is resident in: pid 12
/// (node server.js) 480 MiB, ..."
std::string describe_memory(std::uint64_t limit, const UsedMemory& used, std::vector<ProcStat> members,
                            const Redactor& redactor);

}  // namespace codex
