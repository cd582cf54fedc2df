#pragma once

#include <string_view>
#include <vector>

/// The metrics that /metrics may show: the only place with their names, help texts, types, units and labels.

namespace codex {

/// kInfo is written as a gauge in text 0.0.4, which has no such type, and as an info in OpenMetrics.
enum class MetricType { kGauge, kCounter, kHistogram, kInfo };

/// Index into metric_catalogue(), in the order of the exposition.
enum class Metric {
  kBackendUp,
  kBackendReady,
  kBackendDesiredRunning,
  kBackendState,
  kBackendStateEntries,
  kBackendStateLastChangeTimestampSeconds,
  kBackendStartTimeSeconds,
  kBackendStarts,
  kBackendStartFailures,
  kBackendRestarts,
  kBackendExits,
  kBackendExitCauses,
  kBackendLastExitCode,
  kBackendLastExitTimestampSeconds,
  kBackendRestartBackoffSeconds,
  kBackendRestartBudgetRemaining,
  kBackendNextAttemptTimestampSeconds,
  kBackendStopSignals,
  kBackendStartupDurationSeconds,
  kBackendStartupPhaseDurationSeconds,
  kBackendStartupTimeoutSeconds,
  kProbeSuccess,
  kProbeAttempts,
  kProbeFailures,
  kProbeDurationSeconds,
  kProbeLastDurationSeconds,
  kProbePhaseDurationSeconds,
  kProbeLastAttemptTimestampSeconds,
  kProbeLastSuccessTimestampSeconds,
  kProbeConsecutiveFailures,
  kProbeFailureThreshold,
  kProbeIntervalSeconds,
  kProbeTimeoutSeconds,
  kProbeHttpStatusCode,
  kProbeHttpBodyBytes,
  kProbeInfo,
  kBackendHung,
  kBackendOverloaded,
  kBackendHangs,
  kBackendWorkers,
  kBackendWorkersHung,
  kBackendWorkerHangs,
  kBackendHangDurationSeconds,
  kBackendHangDetectionDelaySeconds,
  kBackendHangSignal,
  kBackendHangWatchCpuSeconds,
  kBackendAcceptQueueConnections,
  kBackendRecoveryDurationSeconds,
  kBackendProcesses,
  kBackendThreads,
  kBackendProcessStates,
  kBackendCpuSeconds,
  kBackendResidentMemoryBytes,
  kBackendVirtualMemoryBytes,
  kBackendSwapMemoryBytes,
  kBackendUsedMemoryBytes,
  kBackendProportionalMemoryBytes,
  kBackendMemoryLimitBytes,
  kBackendOpenFds,
  kBackendWorstFdRatio,
  kBackendReadBytes,
  kBackendWrittenBytes,
  kBackendMajorPageFaults,
  kBackendMinorPageFaults,
  kBackendContextSwitches,
  kBackendOutputLines,
  kBackendOutputBytes,
  kBackendOutputDroppedBytes,
  kBackendLastOutputTimestampSeconds,
  kBuildInfo,
  kConfigLastReloadSuccessful,
  kConfigLastReloadSuccessTimestampSeconds,
  kScrapeDurationSeconds,
  kScrapeCollectorSuccess,
  kScrapeCollectorDurationSeconds,
  kCollectErrors,
  kHttpRequests,
  kHttpRequestsInFlight,
  kHttpRejectedConnections,
  kLoopLastIterationTimestampSeconds,
  kLoopLagSeconds,
  kLoopCallbackErrors,
  kLogMessages,
  kEventCommandRuns,
  kEvidenceCaptures,
  kProcessCpuSeconds,
  kProcessOpenFds,
  kProcessMaxFds,
  kProcessVirtualMemoryBytes,
  kProcessVirtualMemoryMaxBytes,
  kProcessResidentMemoryBytes,
  kProcessStartTimeSeconds,
  kProcessThreads
};

/// One metric family. `unit` is the base unit that ends the name (before `_total`), "" without one.
/// `labels` excludes `le`; a sample gives its values in this order.
struct MetricDefinition {
  Metric id;
  std::string_view name;
  std::string_view help;
  MetricType type;
  std::string_view unit;
  std::vector<std::string_view> labels;
};

/// All definitions; metric_catalogue()[i].id is Metric(i). Naming follows the Prometheus conventions
/// (prometheus.io/docs/practices/naming) so that `promtool check metrics` has nothing to say.
const std::vector<MetricDefinition>& metric_catalogue();

/// nullptr for a name that is not in the catalogue.
const MetricDefinition* find_metric(std::string_view name);

}  // namespace codex
