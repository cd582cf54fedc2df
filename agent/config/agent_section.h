#pragma once

#include "agent/config/backend_environment.h"
#include "agent/config/config.h"
#include "agent/config/load_context.h"
#include "agent/config_files/dotenv.h"
#include "agent/config_files/toml_reader.h"

namespace codex {

/// Reads [agent], LOG_FILE, CODEX_AGENT_LISTEN and CODEX_AGENT_LOG_LEVEL. `dotenv` is that of the only
/// backend, or empty: with several of them no .env speaks for the agent.
AgentConfig load_agent_section(TomlTable table, const Dotenv& dotenv, LoadContext& context);

}  // namespace codex
