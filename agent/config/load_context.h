#pragma once

#include <filesystem>

#include "agent/config/backend_environment.h"
#include "agent/config_files/diagnostics.h"
#include "agent/text/redactor.h"

namespace codex {

/// What every part of one load shares. Lives as long as the load.
struct LoadContext {
  const Environment& process;               ///< of this process
  std::filesystem::path project_directory;  ///< absolute
  /// Default for the agent's log: PROJECT/logs, or /var/log/codex-agent.
  std::filesystem::path log_directory;
  bool system_wide = false;  ///< configured in /etc
  bool several = false;      ///< more than one backend: PORT, DATABASE_URL, PID_FILE name none of them
  Diagnostics& diagnostics;
  Redactor& redactor;
};

}  // namespace codex
