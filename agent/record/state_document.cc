#include <nlohmann/json.hpp>

#include "agent/record/state_file.h"
#include "agent/text/rfc3339.h"

/// The text of the state file. Its keys are the status document's where both tell the same.

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;

Json to_json(const BackendHistory& history) {
  Json json = {{"starts", history.starts},
               {"start_failures", history.start_failures},
               {"restarts", history.restarts},
               {"exits", history.exits},
               {"exit_causes", history.exit_causes},
               {"stop_signals", history.stop_signals},
               {"state_entries", history.state_entries},
               {"last_exit", nullptr},
               {"startup_phases", history.startup.phases},
               {"startup_seconds", nullptr}};
  if (history.startup.duration_seconds) json["startup_seconds"] = *history.startup.duration_seconds;
  if (history.last_exit) {
    const LastExit& exit = *history.last_exit;
    json["last_exit"] = {{"outcome", exit.outcome}, {"code", exit.code}, {"signal", exit.signal.value_or("")},
                         {"cause", exit.cause},     {"why", exit.why},   {"at", format_rfc3339(exit.at)}};
  }
  return json;
}

BackendHistory history_from(const Json& json) {
  BackendHistory history;
  json.at("starts").get_to(history.starts);
  json.at("start_failures").get_to(history.start_failures);
  json.at("restarts").get_to(history.restarts);
  json.at("exits").get_to(history.exits);
  json.at("exit_causes").get_to(history.exit_causes);
  json.at("stop_signals").get_to(history.stop_signals);
  json.at("state_entries").get_to(history.state_entries);
  json.at("startup_phases").get_to(history.startup.phases);
  if (const Json& seconds = json.at("startup_seconds"); !seconds.is_null())
    history.startup.duration_seconds = seconds.get<double>();
  if (const Json& exit = json.at("last_exit"); !exit.is_null()) {
    LastExit& last = history.last_exit.emplace();
    exit.at("outcome").get_to(last.outcome);
    exit.at("code").get_to(last.code);
    exit.at("cause").get_to(last.cause);
    last.why = exit.value("why", "");  // 0.1.1 did not know it.
    if (const auto signal = exit.at("signal").get<std::string>(); !signal.empty()) last.signal = signal;
    last.at = parse_rfc3339(exit.at("at").get<std::string>()).value_or(WallTime{});
  }
  return history;
}

SavedBackend backend_from(const Json& json) {
  SavedBackend backend;
  backend.desired_running = json.at("desired").get<std::string>() == "running";
  json.at("stopping").get_to(backend.stopping);
  // 0.1.0 knew neither.
  const auto ready = json.find("ready");
  if (ready != json.end()) backend.ready = ready->get<bool>();
  backend.guessable = ready == json.end() || json.value("guessable", false);
  json.at("generation").get_to(backend.generation);
  if (const auto at = json.find("started_at_us"); at != json.end())
    backend.started_at = WallTime(std::chrono::microseconds(at->get<std::int64_t>()));
  if (const auto since = json.find("running_since_monotonic_ns"); since != json.end())
    backend.running_since = TimePoint(std::chrono::nanoseconds(since->get<std::int64_t>()));
  json.at("failures").get_to(backend.budget.failures);
  for (const Json& at : json.at("restarts_at_monotonic_ns")) {
    backend.budget.restarts.emplace_back(std::chrono::nanoseconds(at.get<std::int64_t>()));
  }
  backend.history = history_from(json.at("history"));
  return backend;
}

}  // namespace

std::string render_saved_backend(const SavedBackend& backend) {
  Json restarts = Json::array();
  for (const TimePoint at : backend.budget.restarts) {
    restarts.push_back(std::chrono::nanoseconds(at.time_since_epoch()).count());
  }
  Json json = {{"desired", backend.desired_running ? "running" : "stopped"},
               {"stopping", backend.stopping},
               {"generation", backend.generation},
               {"failures", backend.budget.failures},
               {"restarts_at_monotonic_ns", std::move(restarts)},
               {"history", to_json(backend.history)}};
  if (backend.ready) json["ready"] = *backend.ready;
  if (backend.guessable) json["guessable"] = true;
  if (backend.started_at) {
    const auto since_epoch = backend.started_at->time_since_epoch();
    json["started_at_us"] = std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count();
  }
  if (backend.running_since)
    json["running_since_monotonic_ns"] =
        std::chrono::nanoseconds(backend.running_since->time_since_epoch()).count();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string render_state(const std::string& boot_id, const std::map<std::string, std::string>& backends) {
  std::string text =
      "{\"schema\":" + std::to_string(kSchema) + ",\"boot_id\":\"" + boot_id + "\",\"backends\":{";
  const char* separator = "\n";
  for (const auto& [name, document] : backends) {
    text += separator + Json(name).dump() + ":" + document;
    separator = ",\n";
  }
  return text + "}}\n";
}

std::optional<std::map<std::string, SavedBackend>> parse_state(const std::string& text,
                                                               const std::string& boot_id,
                                                               std::string& damage) {
  try {
    const Json json = Json::parse(text);
    if (json.at("schema").get<int>() != kSchema) {
      damage = "it was written by another version";
      return std::nullopt;
    }
    if (json.at("boot_id").get<std::string>() != boot_id) return std::nullopt;  // no damage: a new boot
    std::map<std::string, SavedBackend> backends;
    for (const auto& [name, backend] : json.at("backends").items()) backends[name] = backend_from(backend);
    return backends;
  } catch (const Json::exception& e) {
    damage = e.what();
    return std::nullopt;
  }
}

}  // namespace codex
