#include "agent/config/agent_section.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/config/addresses.h"
#include "agent/config/backend_environment.h"
#include "agent/config/limits.h"
#include "agent/config_files/values.h"

namespace codex {

namespace {

constexpr Duration kShortestHook = std::chrono::milliseconds(100);
constexpr Duration kLongestHook = std::chrono::minutes(5);
constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};

Parsed<std::string> parse_level(std::string_view text) {
  if (std::find(kLevels.begin(), kLevels.end(), text) != kLevels.end())
    return Parsed<std::string>::good(std::string(text));
  return Parsed<std::string>::bad("is not one of \"debug\", \"info\", \"warning\", \"error\"");
}

// A Host header: a name or address, with or without a port.
bool is_host_header(const std::string& text) {
  return is_host(text) || parse_listen_address(text).value.has_value() ||
         parse_listen_address(text + ":0").value.has_value();
}

EventHookConfig load_event_hook(TomlTable& table, LoadContext& context) {
  EventHookConfig hook;
  hook.command = table.texts("on_event").value_or(std::vector<std::string>{});
  hook.timeout = table.duration("on_event_timeout", kShortestHook, kLongestHook).value_or(hook.timeout);
  hook.directory = context.project_directory;
  if (hook.command.empty()) return hook;
  const std::string& program = hook.command.front();
  if (program.empty()) {
    table.error_at("on_event", "must begin with the name of a program");
  } else if (program.find('/') != std::string::npos) {
    const std::string path = (hook.directory / program).lexically_normal().string();
    if (::access(path.c_str(), X_OK) != 0) {
      context.diagnostics.warn("on_event: " + escape_for_display(path, 256) + " cannot be executed: " +
                               std::strerror(errno) + "; until that changes nobody is told of events");
    }
  }
  hook.environment = compose_environment(context.process, Dotenv{}, {});
  register_secrets(hook.environment, context.redactor);
  return hook;
}

template <typename T>
std::optional<T> from_environment(const char* name, Parsed<T> (*parser)(std::string_view),
                                  const Dotenv& dotenv, LoadContext& context) {
  const auto given = find_setting(context.process, dotenv, name);
  if (!given) return std::nullopt;
  const Parsed<T> parsed = parser(given->value);
  if (!parsed.value) given->error(name, shown(given->value) + " " + parsed.error, context.diagnostics);
  return parsed.value;
}

}  // namespace

AgentConfig load_agent_section(TomlTable table, const Dotenv& dotenv, LoadContext& context) {
  AgentConfig agent;
  const auto listen = table.parsed<Address>("listen", parse_listen_address);
  const auto listen_override = from_environment("CODEX_AGENT_LISTEN", parse_listen_address, dotenv, context);
  const Address address =
      listen_override.value_or(listen.value_or(Address{agent.listen_host, agent.listen_port}));
  agent.listen_host = address.host;
  agent.listen_port = address.port;

  agent.allowed_hosts = table.texts("allowed_hosts").value_or(std::vector<std::string>{});
  for (const std::string& host : agent.allowed_hosts) {
    if (!is_host_header(host)) {
      table.error_at("allowed_hosts",
                     shown(host) + " is not a host name or address, such as \"grafana.example\"");
    }
  }

  agent.log_file = context.log_directory / "process-monitor.log";
  if (const auto file = table.text("log_file")) {
    if (file->empty() || file->ends_with('/')) table.error_at("log_file", "must name a file");
    agent.log_file = (context.project_directory / *file).lexically_normal();
  }
  if (const auto file = find_setting(context.process, dotenv, "LOG_FILE")) {
    agent.log_file = (context.project_directory / file->value).lexically_normal();
  }
  agent.log_max_bytes = table.size("log_max_size", kSmallestLog, kLargestLog).value_or(agent.log_max_bytes);
  agent.log_keep = static_cast<int>(table.whole("log_keep", 0, kMostKeptLogs).value_or(agent.log_keep));

  agent.log_level = table.parsed<std::string>("log_level", parse_level).value_or(agent.log_level);
  agent.log_level =
      from_environment("CODEX_AGENT_LOG_LEVEL", parse_level, dotenv, context).value_or(agent.log_level);
  agent.on_event = load_event_hook(table, context);
  table.reject_unknown();
  return agent;
}

}  // namespace codex
