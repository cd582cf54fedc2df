#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/config/config.h"
#include "agent/config/load_context.h"
#include "agent/config_files/dotenv.h"
#include "agent/config_files/toml_reader.h"

namespace codex {

/// The words of restart.policy and hang.action in the file.
const std::vector<std::pair<std::string, RestartPolicy>>& restart_policy_words();
const std::vector<std::pair<std::string, WrapperIdleAction>>& wrapper_idle_words();
const std::vector<std::pair<std::string, HangReaction>>& hang_action_words();
const std::vector<std::pair<std::string, HangWorkerAction>>& hang_worker_action_words();
/// Those of hang.stopped.action.
const std::vector<std::pair<std::string, HangReaction>>& stopped_action_words();

struct LoadedBackend {
  BackendConfig config;
  Dotenv dotenv;     ///< its .env file
  Place place;       ///< of its table
  Place port_place;  ///< of `port`, or of the table
};

/// Reads [backend.NAME]; every key that `table` lacks has its default. Mistakes go to `context.diagnostics`, and
/// then the result is good for further checks only.
LoadedBackend load_backend(const std::string& name, TomlTable table, LoadContext& context);

}  // namespace codex
