#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/config_files/diagnostics.h"
#include "agent/config_files/dotenv.h"
#include "agent/text/redactor.h"

/// The environment as a source of settings, and the block that a backend gets. Pure.

namespace codex {

using Environment = std::map<std::string, std::string>;

/// A setting that came from the environment or from .env, and how to name its place in an error.
struct Setting {
  std::string value;
  std::string file;  ///< the variable's name, or the .env file
  Place place;

  /// Reports `message` about the variable `name` at its place.
  void error(const std::string& name, const std::string& message, Diagnostics& diagnostics) const;
};

/// Looks `name` up in the environment, then in `dotenv`. An empty value counts as not set.
std::optional<Setting> find_setting(const Environment& process, const Dotenv& dotenv, std::string_view name);

/// True for variables that are the agent's alone: CODEX_AGENT_*, NOTIFY_SOCKET, LISTEN_* and WATCHDOG_* of
/// sd_listen_fds(3) and sd_watchdog_enabled(3).
bool is_agent_variable(std::string_view name);

/// The block for a backend: `process` without the agent's own variables, then what `dotenv` adds, then `own`
/// ([backend.NAME.env]), which replaces both.
Environment compose_environment(const Environment& process, const Dotenv& dotenv, const Environment& own);

/// True if a variable or header of this name holds a secret.
bool names_secret(std::string_view name);

/// Registers every value of `environment` that is a secret by its name, or carries one in a URL.
void register_secrets(const Environment& environment, Redactor& redactor);

}  // namespace codex
