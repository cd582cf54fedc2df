#include "exporters/status/status_document.h"

#include <nlohmann/json.hpp>

#include "agent/text/rfc3339.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json time_or_null(const std::optional<WallTime>& time) {
  return time ? Json(format_rfc3339(*time)) : Json(nullptr);
}

Json seconds_by_name(const std::vector<std::pair<std::string, double>>& phases) {
  Json object = Json::object();
  for (const auto& [name, seconds] : phases) object[name] = seconds;
  return object;
}

std::uint64_t total(const Counts& counts) {
  std::uint64_t sum = 0;
  for (const auto& [key, count] : counts) sum += count;
  return sum;
}

Json last_exit(const std::optional<LastExit>& exit) {
  if (!exit) return nullptr;
  return {{"outcome", exit->outcome},
          {"code", exit->code},
          {"signal", value_or_null(exit->signal)},
          {"cause", exit->cause.empty() ? Json(nullptr) : Json(exit->cause)},
          {"why", exit->why.empty() ? Json(nullptr) : Json(exit->why)},
          {"at", format_rfc3339(exit->at)}};
}

Json last_end(const std::optional<LastEnd>& end) {
  if (!end) return nullptr;
  return {{"at", format_rfc3339(end->at)}, {"told", end->told}};
}

Json last_transition(const std::optional<LastTransition>& transition) {
  if (!transition) return nullptr;
  return {{"at", format_rfc3339(transition->at)},
          {"from", transition->from},
          {"to", transition->to},
          {"reason", transition->reason},
          {"detail", transition->detail}};
}

Json port(const std::optional<PortSnapshot>& port) {
  if (!port) return nullptr;
  return {{"number", port->number},
          {"listening", port->listening},
          {"owner_pid", value_or_null(port->owner_pid)},
          {"owner_command", port->owner_command.empty() ? Json(nullptr) : Json(port->owner_command)},
          {"ours", port->ours},
          {"accept_queue", value_or_null(port->accept_queue)}};
}

Json probe(const ProbeSnapshot& probe) {
  return {{"name", probe.name},
          {"kind", probe.kind},
          {"role", probe.role},
          {"target", probe.target},
          {"period_seconds", probe.period_seconds},
          {"timeout_seconds", probe.timeout_seconds},
          {"outcome", value_or_null(probe.outcome)},
          {"reason", probe.reason},
          {"elapsed_seconds", value_or_null(probe.elapsed_seconds)},
          {"consecutive_failures", probe.consecutive_failures},
          {"failure_threshold", probe.failure_threshold},
          {"detail", probe.detail},
          {"attempts", probe.attempts},
          {"last_attempt_at", time_or_null(probe.last_attempt)},
          {"age_seconds", value_or_null(probe.age_seconds)},
          {"last_success_at", time_or_null(probe.last_success)},
          {"phases", seconds_by_name(probe.phases)},
          {"http_status", value_or_null(probe.http_status)},
          {"body_bytes", value_or_null(probe.body_bytes)}};
}

Json startup(const StartupSnapshot& startup) {
  return {{"duration_seconds", value_or_null(startup.duration_seconds)},
          {"phases", seconds_by_name(startup.waiting_for ? startup.progress : startup.phases)},
          {"waiting_for", value_or_null(startup.waiting_for)}};
}

Json resources(const std::optional<ResourceSnapshot>& tree) {
  if (!tree) return nullptr;
  return {{"processes", tree->processes},
          {"threads", tree->threads},
          {"resident_memory_bytes", tree->resident_bytes},
          {"virtual_memory_bytes", tree->virtual_bytes},
          {"swap_memory_bytes", tree->swap_bytes},
          {"proportional_memory_bytes", value_or_null(tree->proportional_bytes)},
          {"used_memory_bytes", tree->used_memory_bytes},
          {"used_memory_source", tree->used_memory_source},
          {"cpu_seconds_total", tree->cpu_user_seconds + tree->cpu_system_seconds},
          {"cpu_ratio", value_or_null(tree->cpu_ratio)},
          {"cpu_user_seconds_total", tree->cpu_user_seconds},
          {"cpu_system_seconds_total", tree->cpu_system_seconds},
          {"open_fds", tree->open_fds},
          {"worst_fd_ratio", tree->worst_fd_ratio},
          {"read_bytes_total", value_or_null(tree->read_bytes)},
          {"written_bytes_total", value_or_null(tree->written_bytes)}};
}

Json or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json workers(const WorkersSnapshot& workers) {
  Json list = Json::array();
  for (const auto& hung : workers.hung) {
    list.push_back(Json{{"pid", hung.pid},
                        {"class", hung.hang_class},
                        {"since", format_rfc3339(hung.since)},
                        {"lasted_seconds", hung.lasted_seconds},
                        {"detail", hung.detail},
                        {"where", or_null(hung.where)},
                        {"evidence", or_null(hung.evidence)}});
  }
  return {{"serving", workers.serving}, {"hung", workers.hung.size()}, {"list", std::move(list)}};
}

Json hang(const std::optional<HangSnapshot>& hang) {
  if (!hang) return nullptr;
  return {{"class", hang->hang_class},
          {"since", format_rfc3339(hang->since)},
          {"lasted_seconds", hang->lasted_seconds},
          {"detail", hang->detail},
          {"where", or_null(hang->where)},
          {"action", or_null(hang->action)},
          {"due_at", hang->due ? Json(format_rfc3339(*hang->due)) : Json(nullptr)},
          {"due_in_seconds", hang->due_in_seconds ? Json(*hang->due_in_seconds) : Json(nullptr)},
          {"evidence", or_null(hang->evidence)}};
}

Json output(const OutputSnapshot& output) {
  return {{"lines", output.lines},
          {"bytes", output.bytes},
          {"dropped_bytes", output.dropped_bytes},
          {"last_output_at", time_or_null(output.last_output)}};
}

Json backend(const BackendSnapshot& backend) {
  Json probes = Json::array();
  for (const ProbeSnapshot& each : backend.probes) probes.push_back(probe(each));
  return {{"name", backend.name},
          {"state", backend.state},
          {"health", backend.health},
          {"health_reason", backend.health_reason},
          {"ready", backend.ready},
          {"desired", backend.desired_running ? "running" : "stopped"},
          {"problem", backend.problem},
          {"pid", value_or_null(backend.pid)},
          {"generation", backend.generation},
          {"started_at", time_or_null(backend.started_at)},
          {"uptime_seconds", value_or_null(backend.uptime_seconds)},
          {"starts", backend.starts},
          {"start_failures", backend.start_failures},
          {"exits", backend.exits},
          {"exit_causes", backend.exit_causes},
          {"restarts", {{"total", total(backend.restarts)}, {"by_reason", backend.restarts}}},
          {"backoff_seconds", backend.backoff_seconds},
          {"next_attempt_at", time_or_null(backend.next_attempt)},
          {"awaiting", backend.awaiting.empty() ? Json(nullptr) : Json(backend.awaiting)},
          {"restart_budget",
           {{"remaining", backend.restart_budget},
            {"limit", backend.restart_limit},
            {"interval_seconds", backend.restart_interval_seconds}}},
          {"last_exit", last_exit(backend.last_exit)},
          {"last_end", last_end(backend.last_end)},
          {"last_transition", last_transition(backend.last_transition)},
          {"port", port(backend.port)},
          {"probes", std::move(probes)},
          {"startup", startup(backend.startup)},
          {"resources", resources(backend.resources)},
          {"memory_limit_bytes", value_or_null(backend.memory_limit_bytes)},
          {"hang", hang(backend.hang)},
          {"last_hang", hang(backend.last_hang)},
          {"workers", workers(backend.workers)},
          {"output", output(backend.output)},
          {"log_file", backend.log_file}};
}

}  // namespace

std::string render_status(const Snapshot& snapshot) {
  const AgentSnapshot& agent = snapshot.agent;
  Json backends = Json::array();
  for (const BackendSnapshot& each : snapshot.backends) backends.push_back(backend(each));
  const Json document = {{"schema", 1},
                         {"agent",
                          {{"version", agent.version},
                           {"pid", agent.pid},
                           {"uptime_seconds", agent.uptime_seconds},
                           {"metrics_url", agent.metrics_url},
                           {"log_error", agent.log_error}}},
                         {"backends", std::move(backends)}};
  // Names and details may come from processes and peers: bad UTF-8 is replaced, not thrown.
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace codex
