#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/hang_config.h"
#include "agent/config/restart_config.h"
#include "agent/config_files/diagnostics.h"
#include "agent/os/clock.h"
#include "agent/text/redactor.h"
#include "agent/text/secret.h"
#include "probes/hang/hang_class.h"
#include "probes/probe_spec.h"

namespace codex {

struct BackendConfig {
  std::string name;                  ///< [a-z0-9][a-z0-9_-]*, label `backend`
  std::vector<std::string> command;  ///< argv, never a shell line
  std::filesystem::path directory;   ///< absolute working directory of the child
  /// Complete block for the child, without the agent's own variables.
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> own_environment;  ///< [backend.NAME.env] alone, to show
  std::filesystem::path env_file;                      ///< absolute; "" if none was read
  std::optional<std::uint16_t> port;
  Duration start_timeout = std::chrono::seconds(60);
  int stop_signal = 15;  ///< SIGTERM
  Duration stop_timeout = std::chrono::seconds(2);
  RestartConfig restart;
  HangReaction hang_action = HangReaction::kRestart;  ///< kReport: no class restarts but by a rule of its own
  std::map<HangClass, HangRule> hang_rules;
  HangWorkerConfig hang_worker;
  bool hang_native_stacks = false;             ///< evidence has the native stacks, too
  std::vector<ProbeSpec> probes;               ///< port, http, database first, then the named ones
  std::map<std::string, std::string> url_env;  ///< by probe: the variable that gave its URL
  std::filesystem::path output_file;           ///< logs/server.log
  std::uint64_t output_max_bytes = 10 * 1024 * 1024;
  int output_keep = 5;
  std::filesystem::path pid_file;  ///< logs/server.pid
  bool collect_pss = false;
  std::optional<std::uint64_t> memory_limit_bytes;  ///< of the whole tree
};

/// The command that gets every event; without a command there is none.
struct EventHookConfig {
  std::vector<std::string> command;  ///< argv, never a shell line; [agent] on_event
  Duration timeout = std::chrono::seconds(10);
  std::filesystem::path directory;                 ///< absolute: the project
  std::map<std::string, std::string> environment;  ///< this process's, without the agent's own variables
};

struct AgentConfig {
  std::string listen_host = "127.0.0.1";
  std::uint16_t listen_port = 9847;
  std::vector<std::string> allowed_hosts;  ///< besides loopback names and listen_host
  std::filesystem::path log_file;          ///< logs/process-monitor.log
  std::uint64_t log_max_bytes = 10 * 1024 * 1024;
  int log_keep = 5;
  std::string log_level = "info";
  EventHookConfig on_event;
};

struct Config {
  std::filesystem::path file;  ///< "" with zero configuration
  std::filesystem::path project_directory;
  std::filesystem::path state_directory;  ///< .codex-agent beside the file, or /run/codex-agent
  AgentConfig agent;
  std::vector<BackendConfig> backends;
  Redactor redactor;                  ///< knows every secret of this configuration
  std::vector<std::string> warnings;  ///< one line each, safe to show
};

struct LoadOptions {
  std::filesystem::path project_directory;  ///< -C, default the working directory
  /// --config; else codex-agent.toml in the project, if there.
  std::optional<std::filesystem::path> config_file;
  std::map<std::string, std::string> environment;  ///< of this process
};

struct LoadResult {
  std::optional<Config> config;     ///< only without errors
  std::vector<ConfigError> errors;  ///< all of them, in file order
};

/// Reads configuration: command line > environment > .env > codex-agent.toml > defaults. Reads files, nothing
/// else; starts nothing.
LoadResult load_config(const LoadOptions& options);

/// The effective configuration as TOML that could be loaded again, secrets as "***"; `config show`.
std::string render_config_toml(const Config& config);

/// The same as one JSON document, with `state_directory`, `log_file` and each backend's `output_file`.
std::string render_config_json(const Config& config);

}  // namespace codex
