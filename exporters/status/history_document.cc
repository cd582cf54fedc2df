#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/text/rfc3339.h"
#include "exporters/status/status_document.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

/// With so many decimals as say something; NaN is null.
Json series(const RecentValues& values, double steps_in_one) {
  Json array = Json::array();
  for (const float value : values) {
    array.push_back(std::isnan(value) ? Json(nullptr)
                                      : Json(std::round(double{value} * steps_in_one) / steps_in_one));
  }
  return array;
}

Json whole(const RecentValues& values) {
  Json array = Json::array();
  for (const float value : values)
    array.push_back(std::isnan(value) ? Json(nullptr) : Json(std::llround(value)));
  return array;
}

Json flags(const RecentValues& values) {
  Json array = Json::array();
  for (const float value : values) array.push_back(value > 0 ? 1 : 0);
  return array;
}

Json state(const RecentState& state) {
  return {{"state", state.state},
          {"reason", state.reason},
          {"begin_seconds_ago", std::round(state.begin_seconds_ago * 1e3) / 1e3},
          {"end_seconds_ago", std::round(state.end_seconds_ago * 1e3) / 1e3}};
}

Json backend(const std::string& name, const BackendRecent& recent) {
  Json states = Json::array(), probes = Json::array(), events = Json::array();
  for (const RecentState& each : recent.states) states.push_back(state(each));
  for (const RecentProbe& each : recent.probes) {
    probes.push_back({{"name", each.name},
                      {"latency_seconds", series(each.seconds, 1e6)},
                      {"failed", flags(each.failures)}});
  }
  for (const RecentEvent& each : recent.events) {
    events.push_back({{"at", format_rfc3339(each.at)},
                      {"from", each.from},
                      {"to", each.to},
                      {"reason", each.reason},
                      {"detail", each.detail}});
  }
  return {{"name", name},
          {"states", std::move(states)},
          {"probes", std::move(probes)},
          {"used_memory_bytes", whole(recent.used_memory_bytes)},
          {"cpu_ratio", series(recent.cpu_ratio, 1e4)},
          {"events", std::move(events)}};
}

}  // namespace

std::string render_history(const Snapshot& snapshot, const std::vector<BackendRecent>& recent) {
  Json backends = Json::array();
  for (std::size_t i = 0; i < recent.size() && i < snapshot.backends.size(); ++i)
    backends.push_back(backend(snapshot.backends[i].name, recent[i]));
  const Json document = {{"schema", 1},
                         {"at", format_rfc3339(std::chrono::system_clock::now())},
                         {"span_seconds", to_seconds(kRecentSpan)},
                         {"step_seconds", to_seconds(kRecentStep)},
                         {"backends", std::move(backends)}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void add_history_route(HttpRoutes& routes, SnapshotSource source, RecentSource recent) {
  routes.get("/api/v1/history", [source = std::move(source), recent = std::move(recent)](const HttpRequest&) {
    HttpResponse response;
    response.body = render_history(*source(), recent());
    return response;
  });
}

}  // namespace codex
