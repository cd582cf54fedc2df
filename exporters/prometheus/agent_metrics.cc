#include <string>

#include "exporters/prometheus/snapshot_collectable.h"

namespace codex {

namespace {

void add_http(const HttpStats& http, MetricFamilies& out) {
  // The combinations that are bound to come exist from the start, so that increase() sees the first one.
  auto requests = http.requests;
  for (const std::string_view handler : kHttpHandlers) {
    requests.try_emplace({std::string(handler), handler == kOtherHttpHandler ? 404 : 200}, 0);
  }
  requests.try_emplace({"/-/ready", 503}, 0);
  for (const auto& [key, count] : requests) {
    out.add(Metric::kHttpRequests, {key.first, std::to_string(key.second)}, as_double(count));
  }
  out.add(Metric::kHttpRequestsInFlight, {}, as_double(http.in_flight));
  auto rejected = http.rejected;
  for (const std::string_view reason : kHttpRejections) rejected.try_emplace(std::string(reason), 0);
  for (const auto& [reason, count] : rejected) {
    out.add(Metric::kHttpRejectedConnections, {reason}, as_double(count));
  }
}

void add_loop(const LoopStats& loop, MetricFamilies& out) {
  out.add(Metric::kLoopLastIterationTimestampSeconds, {"main"}, to_unix_seconds(loop.last_iteration));
  out.add(Metric::kLoopLagSeconds, {"main"}, LoopStats::kLagBounds, loop.lag_counts, loop.lag_sum_seconds);
  out.add(Metric::kLoopCallbackErrors, {"main"}, as_double(loop.callback_errors));
}

}  // namespace

void add_agent_metrics(const Snapshot& snapshot, const ExpositionExtras& extras, MetricFamilies& out) {
  const AgentSnapshot& agent = snapshot.agent;
  out.add(Metric::kBuildInfo, {agent.version, agent.revision, agent.compiler}, 1);
  out.add(Metric::kConfigLastReloadSuccessful, {}, agent.config_ok);
  out.add(Metric::kConfigLastReloadSuccessTimestampSeconds, {}, to_unix_seconds(agent.config_loaded_at));
  out.add(Metric::kScrapeDurationSeconds, {}, extras.collect_seconds);
  for (const CollectorSnapshot& collector : agent.collectors) {
    out.add(Metric::kScrapeCollectorSuccess, {collector.name}, collector.success);
    out.add(Metric::kScrapeCollectorDurationSeconds, {collector.name}, collector.duration_seconds);
  }
  for (const auto& [source, count] : agent.collect_errors) {
    out.add(Metric::kCollectErrors, {source}, as_double(count));
  }
  add_http(extras.http, out);
  add_loop(snapshot.loop, out);
  for (const std::string_view level : kLogLevels) {
    const auto found = agent.log_messages.find(level);
    out.add(Metric::kLogMessages, {level}, found == agent.log_messages.end() ? 0 : as_double(found->second));
  }
  for (const std::string_view result : kEventHookResults) {
    const auto found = agent.event_hook_runs.find(result);
    out.add(Metric::kEventCommandRuns, {result},
            found == agent.event_hook_runs.end() ? 0 : as_double(found->second));
  }
  for (const std::string_view result : kEvidenceResults) {
    const auto found = agent.evidence.find(result);
    out.add(Metric::kEvidenceCaptures, {result},
            found == agent.evidence.end() ? 0 : as_double(found->second));
  }
}

}  // namespace codex
