#include <span>

#include "exporters/prometheus/snapshot_collectable.h"

namespace codex {

namespace {

/// Every value of a closed set, whether it happened or not: increase() must see the first event.
void add_counts(MetricFamilies& out, Metric id, std::string_view backend, const Counts& counts,
                std::span<const std::string_view> closed_set) {
  for (const std::string_view value : closed_set) {
    const auto found = counts.find(value);
    out.add(id, {backend, value}, found == counts.end() ? 0 : as_double(found->second));
  }
}

void add_state(const BackendSnapshot& backend, MetricFamilies& out) {
  const std::string_view name = backend.name;
  out.add(Metric::kBackendUp, {name}, backend.pid.has_value());
  out.add(Metric::kBackendReady, {name}, backend.ready);
  out.add(Metric::kBackendDesiredRunning, {name}, backend.desired_running);
  for (const std::string_view state : kStates) {
    out.add(Metric::kBackendState, {name, state}, backend.state == state);
  }
  add_counts(out, Metric::kBackendStateEntries, name, backend.state_entries, kStates);
  if (backend.last_transition) {
    out.add(Metric::kBackendStateLastChangeTimestampSeconds, {name},
            to_unix_seconds(backend.last_transition->at));
  }
  if (backend.pid && backend.started_at) {
    out.add(Metric::kBackendStartTimeSeconds, {name}, to_unix_seconds(*backend.started_at));
  }
  out.add(Metric::kBackendHung, {name}, backend.state == "hung");
  out.add(Metric::kBackendOverloaded, {name}, backend.overloaded);
  for (const auto& [hang_class, count] : backend.hangs) {
    out.add(Metric::kBackendHangs, {name, hang_class}, as_double(count));
  }
  out.add(Metric::kBackendWorkers, {name}, backend.workers.serving);
  out.add(Metric::kBackendWorkersHung, {name}, static_cast<double>(backend.workers.hung.size()));
  for (const auto& [hang_class, count] : backend.workers.hangs) {
    out.add(Metric::kBackendWorkerHangs, {name, hang_class}, as_double(count));
  }
  out.add(Metric::kBackendHangDurationSeconds, {name}, backend.hang_duration);
  out.add(Metric::kBackendHangDetectionDelaySeconds, {name}, backend.hang_detection_delay);
  add_counts(out, Metric::kBackendHangSignal, {name}, backend.hang_signals, kHangSignals);
  out.add(Metric::kBackendHangWatchCpuSeconds, {name}, backend.hang_watch_cpu_seconds);
}

void add_starts_and_exits(const BackendSnapshot& backend, MetricFamilies& out) {
  const std::string_view name = backend.name;
  out.add(Metric::kBackendStarts, {name}, as_double(backend.starts));
  add_counts(out, Metric::kBackendStartFailures, name, backend.start_failures, kStartFailureReasons);
  add_counts(out, Metric::kBackendRestarts, name, backend.restarts, kRestartReasons);
  add_counts(out, Metric::kBackendExits, name, backend.exits, kExitOutcomes);
  add_counts(out, Metric::kBackendExitCauses, name, backend.exit_causes, kExitCauses);
  if (backend.last_exit) {
    out.add(Metric::kBackendLastExitCode, {name}, backend.last_exit->code);
    out.add(Metric::kBackendLastExitTimestampSeconds, {name}, to_unix_seconds(backend.last_exit->at));
  }
  out.add(Metric::kBackendRestartBackoffSeconds, {name}, backend.backoff_seconds);
  out.add(Metric::kBackendRestartBudgetRemaining, {name}, backend.restart_budget);
  if (backend.next_attempt) {
    out.add(Metric::kBackendNextAttemptTimestampSeconds, {name}, to_unix_seconds(*backend.next_attempt));
  }
  // The stop signal is configurable, so this set is the snapshot's own.
  for (const auto& [signal, count] : backend.stop_signals) {
    out.add(Metric::kBackendStopSignals, {name, signal}, as_double(count));
  }
}

void add_startup(const BackendSnapshot& backend, MetricFamilies& out) {
  const std::string_view name = backend.name;
  out.add(Metric::kBackendStartupDurationSeconds, {name}, backend.startup_duration);
  for (const auto& [phase, seconds] : backend.startup.phases) {
    out.add(Metric::kBackendStartupPhaseDurationSeconds, {name, phase}, seconds);
  }
  out.add(Metric::kBackendStartupTimeoutSeconds, {name}, backend.startup_timeout_seconds);
  out.add(Metric::kBackendRecoveryDurationSeconds, {name}, backend.recovery_duration);
}

}  // namespace

void add_backend_metrics(const BackendSnapshot& backend, MetricFamilies& out) {
  add_state(backend, out);
  add_starts_and_exits(backend, out);
  add_startup(backend, out);
  if (backend.port && backend.port->accept_queue) {
    out.add(Metric::kBackendAcceptQueueConnections, {backend.name}, *backend.port->accept_queue);
  }
  add_counts(out, Metric::kBackendOutputLines, backend.name, backend.output.lines, kStreams);
  add_counts(out, Metric::kBackendOutputBytes, backend.name, backend.output.bytes, kStreams);
  out.add(Metric::kBackendOutputDroppedBytes, {backend.name}, as_double(backend.output.dropped_bytes));
  if (backend.output.last_output) {
    out.add(Metric::kBackendLastOutputTimestampSeconds, {backend.name},
            to_unix_seconds(*backend.output.last_output));
  }
}

}  // namespace codex
