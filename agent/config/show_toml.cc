#include <algorithm>

#include "agent/config/backend_config.h"
#include "agent/config/config.h"
#include "agent/config/probes_config.h"
#include "agent/config/shown_secrets.h"
#include "agent/config_files/toml_writer.h"
#include "agent/config_files/values.h"
#include "agent/os/signal_name.h"
#include "agent/text/host_port.h"

namespace codex {

namespace {

using Path = std::vector<std::string>;

Path operator/(Path path, std::string part) {
  path.push_back(std::move(part));
  return path;
}

void write_agent(const AgentConfig& agent, TomlWriter& out) {
  out.table({"agent"});
  out.text("listen", join_host_port(agent.listen_host, agent.listen_port));
  out.texts("allowed_hosts", agent.allowed_hosts);
  out.text("log_file", agent.log_file.string());
  out.text("log_max_size", format_size(agent.log_max_bytes));
  out.number("log_keep", agent.log_keep);
  out.text("log_level", agent.log_level);
  out.texts("on_event", agent.on_event.command);
  out.text("on_event_timeout", format_duration(agent.on_event.timeout));
}

void write_named_texts(const std::vector<std::pair<std::string, std::string>>& texts, TomlWriter& out) {
  for (const auto& [name, value] : texts) {
    if (is_hidden(name, value)) {
      out.hidden(name);
    } else {
      out.text(name, value);
    }
  }
}

void write_url(const ProbeSpec& probe, TomlWriter& out) {
  const std::string url = shown_url(probe);
  if (url != probe.url.reveal()) out.comment("the password in this URL is not shown");
  out.text("url", url);
}

void write_http(const ProbeSpec& probe, const BackendConfig& backend, const Path& path, TomlWriter& out) {
  const std::string own_origin =
      backend.port ? "http://127.0.0.1:" + std::to_string(*backend.port) : std::string();
  const std::string& url = probe.url.reveal();
  if (!own_origin.empty() && url.starts_with(own_origin + "/")) {
    out.text("path", url.substr(own_origin.size()));
  } else {
    write_url(probe, out);
  }
  out.text("status", format_status_list(probe.http.status));
  if (!probe.http.body_contains.empty()) out.text("body_contains", probe.http.body_contains);
  if (!probe.http.body_regex.empty()) out.text("body_regex", probe.http.body_regex);
  out.flag("follow_redirects", probe.http.follow_redirects);
  out.flag("tls_verify", probe.http.tls_verify);
  if (!probe.http.ca_file.empty()) out.text("ca_file", probe.http.ca_file);
  if (probe.http.headers.empty()) return;
  out.table(path / "headers");
  write_named_texts(probe.http.headers, out);
}

void write_probe(const ProbeSpec& probe, const BackendConfig& backend, const Path& path, TomlWriter& out) {
  out.table(path);
  out.text("kind", word_for(probe.kind, probe_kind_words()));
  out.text("role", word_for(probe.role, probe_role_words()));
  out.text("period", format_duration(probe.period));
  out.text("timeout", format_duration(probe.timeout));
  out.text("initial_delay", format_duration(probe.initial_delay));
  out.number("failure_threshold", probe.failure_threshold);
  out.number("success_threshold", probe.success_threshold);
  switch (probe.kind) {
    case ProbeKind::kPort:
      out.text("host", probe.host);
      out.number("port", probe.port);
      break;
    case ProbeKind::kHttp:
      write_http(probe, backend, path, out);
      break;
    case ProbeKind::kDatabase:
      if (const auto variable = backend.url_env.find(probe.name); variable != backend.url_env.end()) {
        out.text("url_env", variable->second);
      } else {
        write_url(probe, out);
      }
      break;
  }
}

void write_probes(const BackendConfig& backend, const Path& path, TomlWriter& out) {
  for (const auto& word : probe_kind_words()) {
    const std::string& name = word.first;
    const bool exists = std::any_of(backend.probes.begin(), backend.probes.end(),
                                    [&](const ProbeSpec& probe) { return probe.name == name; });
    if (exists) continue;
    out.table(path / name);
    out.flag("enabled", false);
  }
  for (const ProbeSpec& probe : backend.probes) write_probe(probe, backend, path / probe.name, out);
}

void write_restart(const RestartConfig& restart, TomlWriter& out) {
  out.text("policy", word_for(restart.policy, restart_policy_words()));
  out.text("initial_delay", format_duration(restart.initial_delay));
  out.text("max_delay", format_duration(restart.max_delay));
  out.fraction("factor", restart.factor);
  out.text("start_limit",
           std::to_string(restart.start_limit) + " in " + format_duration(restart.start_limit_interval));
  out.text("stable_after", format_duration(restart.stable_after));
  out.text("retry_interval", format_duration(restart.retry_interval));
  out.text("on_wrapper_idle", word_for(restart.on_wrapper_idle, wrapper_idle_words()));
  out.text("reconnect_timeout", format_duration(restart.reconnect_timeout));
}

void write_backend(const BackendConfig& backend, TomlWriter& out) {
  const Path path = {"backend", backend.name};
  out.table(path);
  out.texts("command", backend.command);
  out.text("directory", backend.directory.string());
  out.text("env_file", backend.env_file.string());
  if (backend.port) {
    out.number("port", *backend.port);
  } else {
    out.text("port", "none");
  }
  out.text("output_file", backend.output_file.string());
  out.text("output_max_size", format_size(backend.output_max_bytes));
  out.number("output_keep", backend.output_keep);
  out.text("pid_file", backend.pid_file.string());
  out.flag("collect_pss", backend.collect_pss);
  if (backend.memory_limit_bytes) out.text("memory_limit", format_size(*backend.memory_limit_bytes));
  if (!backend.own_environment.empty()) {
    out.table(path / "env");
    write_named_texts({backend.own_environment.begin(), backend.own_environment.end()}, out);
  }
  out.table(path / "start");
  out.text("timeout", format_duration(backend.start_timeout));
  out.table(path / "stop");
  out.text("signal", signal_name(backend.stop_signal));
  out.text("timeout", format_duration(backend.stop_timeout));
  out.table(path / "restart");
  write_restart(backend.restart, out);
  out.table(path / "hang");
  out.text("action", word_for(backend.hang_action, hang_action_words()));
  out.flag("native_stacks", backend.hang_native_stacks);
  for (const auto& [hang_class, rule] : backend.hang_rules) {
    out.table(path / "hang" / std::string(to_string(hang_class)));
    if (rule.action) out.text("action", word_for(*rule.action, stopped_action_words()));
    if (rule.after) out.text("after", format_duration(*rule.after));
  }
  out.table(path / "hang" / "worker");
  out.text("action", word_for(backend.hang_worker.action, hang_worker_action_words()));
  out.flag("replaced", backend.hang_worker.replaced);
  write_probes(backend, path / "probe", out);
}

}  // namespace

std::string render_config_toml(const Config& config) {
  TomlWriter out(config.redactor);
  out.comment(config.file.empty() ? "no configuration file; these are the effective values"
                                  : "effective values of " + config.file.string());
  write_agent(config.agent, out);
  for (const BackendConfig& backend : config.backends) write_backend(backend, out);
  return out.document();
}

}  // namespace codex
