#include "exporters/prometheus/snapshot_collectable.h"

namespace codex {

namespace {

void add_configuration(std::string_view backend, const ProbeSnapshot& probe, MetricFamilies& out) {
  out.add(Metric::kProbeFailureThreshold, {backend, probe.name}, probe.failure_threshold);
  out.add(Metric::kProbeIntervalSeconds, {backend, probe.name}, probe.period_seconds);
  out.add(Metric::kProbeTimeoutSeconds, {backend, probe.name}, probe.timeout_seconds);
  out.add(Metric::kProbeInfo, {backend, probe.name, probe.kind, probe.target}, 1);
}

void add_counters(std::string_view backend, const ProbeSnapshot& probe, MetricFamilies& out) {
  out.add(Metric::kProbeAttempts, {backend, probe.name}, as_double(probe.attempts));
  for (const auto& [reason, count] : probe.failures) {
    out.add(Metric::kProbeFailures, {backend, probe.name, reason}, as_double(count));
  }
  out.add(Metric::kProbeDurationSeconds, {backend, probe.name}, probe.duration);
  out.add(Metric::kProbeConsecutiveFailures, {backend, probe.name}, probe.consecutive_failures);
}

void add_last_attempt(std::string_view backend, const ProbeSnapshot& probe, MetricFamilies& out) {
  // "unknown" means that we could not ask: neither 0 nor 1 would be the truth.
  if (probe.outcome == "success" || probe.outcome == "failure") {
    out.add(Metric::kProbeSuccess, {backend, probe.name}, probe.outcome == "success");
  }
  if (probe.elapsed_seconds) {
    out.add(Metric::kProbeLastDurationSeconds, {backend, probe.name}, *probe.elapsed_seconds);
  }
  for (const auto& [phase, seconds] : probe.phases) {
    out.add(Metric::kProbePhaseDurationSeconds, {backend, probe.name, phase}, seconds);
  }
  if (probe.last_attempt) {
    out.add(Metric::kProbeLastAttemptTimestampSeconds, {backend, probe.name},
            to_unix_seconds(*probe.last_attempt));
  }
  if (probe.last_success) {
    out.add(Metric::kProbeLastSuccessTimestampSeconds, {backend, probe.name},
            to_unix_seconds(*probe.last_success));
  }
  if (probe.http_status) out.add(Metric::kProbeHttpStatusCode, {backend, probe.name}, *probe.http_status);
  if (probe.body_bytes) {
    out.add(Metric::kProbeHttpBodyBytes, {backend, probe.name}, as_double(*probe.body_bytes));
  }
}

}  // namespace

void add_probe_metrics(const BackendSnapshot& backend, MetricFamilies& out) {
  for (const ProbeSnapshot& probe : backend.probes) {
    add_configuration(backend.name, probe, out);
    add_counters(backend.name, probe, out);
    add_last_attempt(backend.name, probe, out);
  }
}

}  // namespace codex
