#include <nlohmann/json.hpp>

#include "agent/config/backend_config.h"
#include "agent/config/config.h"
#include "agent/config/probes_config.h"
#include "agent/config/shown_secrets.h"
#include "agent/config_files/values.h"
#include "agent/os/signal_name.h"
#include "agent/text/host_port.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

// Nothing that a person wrote reaches the document but through here.
class ConfigDocument {
 public:
  explicit ConfigDocument(const Config& config) : config_(config) {}

  [[nodiscard]] Json render() const {
    Json document = {
        {"file", optional_path(config_.file)},
        {"project_directory", text(config_.project_directory.string())},
        {"state_directory", text(config_.state_directory.string())},
        {"log_file", text(config_.agent.log_file.string())},
        {"agent",
         {{"listen", text(join_host_port(config_.agent.listen_host, config_.agent.listen_port))},
          {"allowed_hosts", texts(config_.agent.allowed_hosts)},
          {"log_max_bytes", config_.agent.log_max_bytes},
          {"log_keep", config_.agent.log_keep},
          {"log_level", config_.agent.log_level},
          {"on_event", texts(config_.agent.on_event.command)},
          {"on_event_timeout_seconds", to_seconds(config_.agent.on_event.timeout)}}},
        {"backends", Json::array()},
        {"warnings", texts(config_.warnings)},
    };
    for (const BackendConfig& backend : config_.backends) document["backends"].push_back(render(backend));
    return document;
  }

 private:
  [[nodiscard]] Json text(std::string_view raw) const { return config_.redactor.scrub(raw); }

  [[nodiscard]] Json optional_path(const std::filesystem::path& path) const {
    return path.empty() ? Json(nullptr) : text(path.string());
  }

  [[nodiscard]] Json texts(const std::vector<std::string>& raw) const {
    Json array = Json::array();
    for (const std::string& item : raw) array.push_back(text(item));
    return array;
  }

  template <typename Pairs>
  [[nodiscard]] Json named_texts(const Pairs& pairs) const {
    Json object = Json::object();
    for (const auto& [name, value] : pairs) object[name] = is_hidden(name, value) ? Json("***") : text(value);
    return object;
  }

  [[nodiscard]] Json render(const BackendConfig& backend) const {
    const RestartConfig& restart = backend.restart;
    Json document = {
        {"name", backend.name},
        {"command", texts(backend.command)},
        {"directory", text(backend.directory.string())},
        {"env_file", optional_path(backend.env_file)},
        {"env", named_texts(backend.own_environment)},
        {"port", backend.port ? Json(*backend.port) : Json(nullptr)},
        {"output_file", text(backend.output_file.string())},
        {"output_max_bytes", backend.output_max_bytes},
        {"output_keep", backend.output_keep},
        {"pid_file", text(backend.pid_file.string())},
        {"collect_pss", backend.collect_pss},
        {"memory_limit_bytes",
         backend.memory_limit_bytes ? Json(*backend.memory_limit_bytes) : Json(nullptr)},
        {"start", {{"timeout_seconds", to_seconds(backend.start_timeout)}}},
        {"stop",
         {{"signal", signal_name(backend.stop_signal)},
          {"timeout_seconds", to_seconds(backend.stop_timeout)}}},
        {"restart",
         {{"policy", word_for(restart.policy, restart_policy_words())},
          {"initial_delay_seconds", to_seconds(restart.initial_delay)},
          {"max_delay_seconds", to_seconds(restart.max_delay)},
          {"factor", restart.factor},
          {"start_limit", restart.start_limit},
          {"start_limit_interval_seconds", to_seconds(restart.start_limit_interval)},
          {"stable_after_seconds", to_seconds(restart.stable_after)},
          {"retry_interval_seconds", to_seconds(restart.retry_interval)},
          {"on_wrapper_idle", word_for(restart.on_wrapper_idle, wrapper_idle_words())},
          {"reconnect_timeout_seconds", to_seconds(restart.reconnect_timeout)}}},
        {"hang", render_hang(backend)},
        {"probes", Json::array()},
    };
    for (const ProbeSpec& probe : backend.probes) document["probes"].push_back(render(probe, backend));
    return document;
  }

  [[nodiscard]] static Json render_hang(const BackendConfig& backend) {
    Json hang = {{"action", word_for(backend.hang_action, hang_action_words())},
                 {"native_stacks", backend.hang_native_stacks},
                 {"worker",
                  {{"action", word_for(backend.hang_worker.action, hang_worker_action_words())},
                   {"replaced", backend.hang_worker.replaced}}}};
    for (const auto& [hang_class, rule] : backend.hang_rules) {
      Json& shown = hang[std::string(to_string(hang_class))] = Json::object();
      if (rule.action) shown["action"] = word_for(*rule.action, stopped_action_words());
      if (rule.after) shown["after_seconds"] = to_seconds(*rule.after);
    }
    return hang;
  }

  [[nodiscard]] Json render(const ProbeSpec& probe, const BackendConfig& backend) const {
    Json document = {
        {"name", probe.name},
        {"kind", word_for(probe.kind, probe_kind_words())},
        {"role", word_for(probe.role, probe_role_words())},
        {"target", text(probe.target)},
        {"period_seconds", to_seconds(probe.period)},
        {"timeout_seconds", to_seconds(probe.timeout)},
        {"initial_delay_seconds", to_seconds(probe.initial_delay)},
        {"failure_threshold", probe.failure_threshold},
        {"success_threshold", probe.success_threshold},
    };
    if (const auto variable = backend.url_env.find(probe.name); variable != backend.url_env.end()) {
      document["url_env"] = variable->second;
    }
    if (probe.kind == ProbeKind::kHttp) {
      document["status"] = format_status_list(probe.http.status);
      document["body_contains"] = text(probe.http.body_contains);
      document["body_regex"] = text(probe.http.body_regex);
      document["headers"] = named_texts(probe.http.headers);
      document["follow_redirects"] = probe.http.follow_redirects;
      document["tls_verify"] = probe.http.tls_verify;
      document["ca_file"] = optional_path(probe.http.ca_file);
    }
    return document;
  }

  const Config& config_;
};

}  // namespace

std::string render_config_json(const Config& config) {
  constexpr int kIndent = 2;
  // Directory names need not be UTF-8; JSON must be (RFC 8259 section 8.1).
  return ConfigDocument(config).render().dump(kIndent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace codex
