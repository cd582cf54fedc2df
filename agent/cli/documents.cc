#include "agent/cli/documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/text/display_text.h"

namespace codex {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kTextLimit = 1024;
constexpr std::string_view kPhaseOrder[] = {"spawn", "listen", "database", "respond"};

std::optional<Json> parse(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

const Json& member(const Json& json, const char* key) {
  static const Json kNull;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : kNull;
}

std::string raw_text(const Json& json, const char* key) {
  const Json& value = member(json, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::string text(const Json& json, const char* key) {
  return escape_for_display(raw_text(json, key), kTextLimit);
}

std::optional<std::int64_t> integer(const Json& json, const char* key) {
  const Json& value = member(json, key);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<std::int64_t>();
}

std::optional<double> number(const Json& json, const char* key) {
  const Json& value = member(json, key);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

std::optional<bool> boolean(const Json& json, const char* key) {
  const Json& value = member(json, key);
  if (!value.is_boolean()) return std::nullopt;
  return value.get<bool>();
}

/// Elements of an array, or nothing at all.
const Json& elements(const Json& json, const char* key) {
  static const Json kEmpty = Json::array();
  const Json& value = member(json, key);
  return value.is_array() ? value : kEmpty;
}

std::vector<std::string> texts(const Json& json, const char* key) {
  std::vector<std::string> found;
  for (const Json& element : elements(json, key))
    if (element.is_string()) found.push_back(escape_for_display(element.get<std::string>(), kTextLimit));
  return found;
}

PortStatus port_of(const Json& json) {
  PortStatus port;
  port.number = integer(json, "number");
  port.listening = boolean(json, "listening").value_or(false);
  port.ours = boolean(json, "ours");
  port.owner_pid = integer(json, "owner_pid");
  port.owner_command = text(json, "owner_command");
  port.accept_queue = integer(json, "accept_queue");
  return port;
}

ProbeStatus probe_of(const Json& json) {
  ProbeStatus probe;
  probe.name = text(json, "name");
  probe.kind = text(json, "kind");
  probe.outcome = text(json, "outcome");
  probe.reason = text(json, "reason");
  probe.detail = text(json, "detail");
  probe.elapsed_seconds = number(json, "elapsed_seconds");
  probe.age_seconds = number(json, "age_seconds");
  probe.period_seconds = number(json, "period_seconds").value_or(0);
  probe.consecutive_failures = integer(json, "consecutive_failures").value_or(0);
  probe.failure_threshold = integer(json, "failure_threshold").value_or(0);
  return probe;
}

ResourceStatus resources_of(const Json& json) {
  ResourceStatus resources;
  resources.processes = integer(json, "processes");
  resources.threads = integer(json, "threads");
  resources.memory_bytes = integer(json, "used_memory_bytes");
  if (!resources.memory_bytes) resources.memory_bytes = integer(json, "resident_memory_bytes");
  resources.memory_source = text(json, "used_memory_source");
  resources.open_fds = integer(json, "open_fds");
  resources.cpu_ratio = number(json, "cpu_ratio");
  resources.cpu_seconds = number(json, "cpu_seconds_total");
  const auto user = number(json, "cpu_user_seconds_total");
  const auto system = number(json, "cpu_system_seconds_total");
  if (!resources.cpu_seconds && user && system) resources.cpu_seconds = *user + *system;
  return resources;
}

std::string last_exit_of(const Json& json) {
  const std::string signal = text(json, "signal"), cause = text(json, "cause");
  const auto code = integer(json, "code");
  const std::string how = !signal.empty() ? signal : code ? "exit code " + std::to_string(*code) : "";
  const bool telling = !how.empty() && !cause.empty() && cause != "exit" && cause != "crash";
  return telling ? how + " (" + cause + ")" : how;
}

std::size_t phase_rank(std::string_view name) {
  return static_cast<std::size_t>(std::find(std::begin(kPhaseOrder), std::end(kPhaseOrder), name) -
                                  std::begin(kPhaseOrder));
}

void read_startup(const Json& json, BackendStatus& backend) {
  backend.startup_seconds = number(json, "duration_seconds");
  backend.waiting_for = text(json, "waiting_for");
  const Json& phases = member(json, "phases");
  if (phases.is_object()) {
    for (const auto& [name, seconds] : phases.items())
      if (seconds.is_number())
        backend.startup_phases.emplace_back(escape_for_display(name, kTextLimit), seconds.get<double>());
  }
  std::stable_sort(backend.startup_phases.begin(), backend.startup_phases.end(),
                   [](const auto& a, const auto& b) { return phase_rank(a.first) < phase_rank(b.first); });
}

BackendStatus backend_of(const Json& json) {
  BackendStatus backend;
  backend.name = text(json, "name");
  backend.state = text(json, "state");
  backend.health = text(json, "health");
  backend.health_reason = text(json, "health_reason");
  backend.desired = text(json, "desired");
  backend.pid = integer(json, "pid");
  backend.uptime_seconds = number(json, "uptime_seconds");
  const Json& restarts = member(json, "restarts");
  backend.restarts = integer(restarts, "total").value_or(0);
  if (const Json& reasons = member(restarts, "by_reason"); reasons.is_object()) {
    for (const auto& [reason, count] : reasons.items())
      if (count.is_number_integer() && count.get<std::int64_t>() > 0)
        backend.restarts_by_reason.emplace_back(escape_for_display(reason, kTextLimit),
                                                count.get<std::int64_t>());
  }
  backend.last_exit = last_exit_of(member(json, "last_exit"));
  backend.last_exit_why = text(member(json, "last_exit"), "why");
  backend.last_end = text(member(json, "last_end"), "told");
  backend.last_end_at = text(member(json, "last_end"), "at");
  backend.awaiting = text(json, "awaiting");
  const Json& budget = member(json, "restart_budget");
  backend.restarts_left = integer(budget, "remaining");
  backend.restart_limit = integer(budget, "limit");
  backend.next_attempt_at = text(json, "next_attempt_at");
  if (const Json& port = member(json, "port"); port.is_object()) backend.port = port_of(port);
  for (const Json& probe : elements(json, "probes")) backend.probes.push_back(probe_of(probe));
  read_startup(member(json, "startup"), backend);
  backend.memory_limit_bytes = integer(json, "memory_limit_bytes");
  if (const Json& used = member(json, "resources"); used.is_object()) backend.resources = resources_of(used);
  const Json& hang = member(json, "hang");
  backend.hang_class = text(hang, "class");
  backend.hang_since = text(hang, "since");
  backend.hang_detail = text(hang, "detail");
  backend.hang_where = text(hang, "where");
  backend.hang_action = text(hang, "action");
  backend.hang_evidence = text(hang, "evidence");
  backend.hang_seconds = number(hang, "lasted_seconds");
  backend.hang_due_in_seconds = number(hang, "due_in_seconds");
  backend.log_file = raw_text(json, "log_file");
  backend.problem = text(json, "problem");
  return backend;
}

std::optional<StatusDocument> status_of(const Json& json) {
  if (!member(json, "backends").is_array()) return std::nullopt;
  StatusDocument status;
  for (const Json& backend : elements(json, "backends")) status.backends.push_back(backend_of(backend));
  return status;
}

EventDocument event_of(const Json& json) {
  EventDocument event;
  const Json& seq = member(json, "seq");
  if (seq.is_number_unsigned()) event.seq = seq.get<std::uint64_t>();
  event.at = text(json, "at");
  event.backend = text(json, "backend");
  event.event = text(json, "event");
  event.from = text(json, "from");
  event.to = text(json, "to");
  event.reason = text(json, "reason");
  event.detail = text(json, "detail");
  return event;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void keep_backends(Json& status, const std::vector<std::string>& names) {
  Json kept = Json::array();
  for (const Json& backend : elements(status, "backends"))
    if (std::find(names.begin(), names.end(), raw_text(backend, "name")) != names.end())
      kept.push_back(backend);
  status["backends"] = std::move(kept);
}

}  // namespace

std::string exit_words(const BackendStatus& backend) {
  return backend.last_exit + (backend.last_exit_why.empty() ? "" : ": " + backend.last_exit_why);
}

std::optional<StatusDocument> parse_status(std::string_view body) {
  const auto json = parse(body);
  return json ? status_of(*json) : std::nullopt;
}

std::optional<OperationDocument> parse_operation(std::string_view body) {
  const auto json = parse(body);
  if (!json || !member(*json, "revision").is_number_unsigned()) return std::nullopt;
  const auto done = boolean(*json, "done");
  auto status = status_of(member(*json, "status"));
  if (!done || !status || !member(*json, "results").is_array()) return std::nullopt;
  OperationDocument operation;
  operation.command = text(*json, "command");
  operation.revision = member(*json, "revision").get<std::uint64_t>();
  operation.done = *done;
  operation.handed_over = boolean(*json, "handed_over").value_or(false);
  operation.status = std::move(*status);
  for (const Json& result : elements(*json, "results"))
    operation.results.push_back(
        {text(result, "backend"), text(result, "message"), boolean(result, "done").value_or(false),
         static_cast<int>(integer(result, "code").value_or(1)), texts(result, "output")});
  return operation;
}

std::optional<EventList> parse_events(std::string_view body) {
  const auto json = parse(body);
  if (!json || !member(*json, "events").is_array()) return std::nullopt;
  EventList list;
  for (const Json& event : elements(*json, "events")) list.events.push_back(event_of(event));
  const Json& last = member(*json, "last");
  if (last.is_number_unsigned()) list.last = last.get<std::uint64_t>();
  return list;
}

std::optional<EventDocument> parse_event(std::string_view line) {
  const auto json = parse(line);
  if (!json) return std::nullopt;
  return event_of(*json);
}

std::optional<std::uint64_t> parse_operation_id(std::string_view body) {
  const auto json = parse(body);
  if (!json || !member(*json, "operation").is_number_unsigned()) return std::nullopt;
  return member(*json, "operation").get<std::uint64_t>();
}

bool says_handed_over(std::string_view body) {
  const auto json = parse(body);
  return json && boolean(*json, "handed_over").value_or(false);
}

std::string parse_error(std::string_view body) {
  const auto json = parse(body);
  return json ? text(*json, "error") : std::string();
}

std::string render_request(const std::vector<std::string>& backends) {
  return dump(Json{{"backends", backends}});
}

std::string select_backends(std::string_view status, const std::vector<std::string>& names) {
  auto json = parse(status);
  if (!json || !member(*json, "backends").is_array()) return "";
  keep_backends(*json, names);
  return dump(*json);
}

std::string select_newest_events(std::string_view list, std::size_t count) {
  auto json = parse(list);
  if (!json || !member(*json, "events").is_array()) return "";
  Json& events = (*json)["events"];
  if (events.size() > count) events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(count));
  return dump(*json);
}

std::string events_as_lines(std::string_view list) {
  const auto json = parse(list);
  std::string lines;
  if (json)
    for (const Json& event : elements(*json, "events")) lines += dump(event) + "\n";
  return lines;
}

std::string lines_as_events(std::string_view lines) {
  Json events = Json::array();
  Json last = 0;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    if (auto event = parse(lines.substr(0, end))) {
      if (member(*event, "seq").is_number_unsigned()) last = member(*event, "seq");
      events.push_back(std::move(*event));
    }
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return dump(Json{{"events", std::move(events)}, {"last", std::move(last)}});
}

std::string render_operation_answer(std::string_view operation) {
  auto json = parse(operation);
  if (!json) return "";
  std::vector<std::string> names;
  for (const Json& result : elements(*json, "results")) names.push_back(raw_text(result, "backend"));
  if (member(*json, "status").is_object()) keep_backends((*json)["status"], names);
  return dump(*json);
}

std::vector<std::pair<std::string, std::string>> parse_configured_backends(std::string_view body) {
  std::vector<std::pair<std::string, std::string>> backends;
  const auto json = parse(body);
  if (!json) return backends;
  const Json& list = member(*json, "backends");
  for (const Json& backend : elements(*json, "backends"))
    backends.emplace_back(raw_text(backend, "name"), raw_text(backend, "output_file"));
  if (list.is_object())
    for (const auto& [name, backend] : list.items())
      backends.emplace_back(name, raw_text(backend, "output_file"));
  return backends;
}

}  // namespace codex
