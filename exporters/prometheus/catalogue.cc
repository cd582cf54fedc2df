#include "exporters/prometheus/catalogue.h"

#include <algorithm>
#include <initializer_list>

namespace codex {

namespace {

using Labels = std::initializer_list<std::string_view>;
using Text = std::string_view;

MetricDefinition gauge(Metric id, Text name, Text unit, Labels labels, Text help) {
  return {id, name, help, MetricType::kGauge, unit, labels};
}

MetricDefinition counter(Metric id, Text name, Text unit, Labels labels, Text help) {
  return {id, name, help, MetricType::kCounter, unit, labels};
}

MetricDefinition histogram(Metric id, Text name, Text unit, Labels labels, Text help) {
  return {id, name, help, MetricType::kHistogram, unit, labels};
}

MetricDefinition info(Metric id, Text name, Text unit, Labels labels, Text help) {
  return {id, name, help, MetricType::kInfo, unit, labels};
}

std::vector<MetricDefinition> make_catalogue() {
  using enum Metric;
  return {
      gauge(kBackendUp, "codex_agent_backend_up", "", {"backend"},
            "Whether the supervised root process is running (1) or not (0)."),
      gauge(kBackendReady, "codex_agent_backend_ready", "", {"backend"},
            "Whether the backend currently satisfies its readiness condition."),
      gauge(kBackendDesiredRunning, "codex_agent_backend_desired_running", "", {"backend"},
            "Whether the supervisor wants the backend running (0 after an operator stop)."),
      gauge(kBackendState, "codex_agent_backend_state", "", {"backend", "state"},
            "Current supervisor state of the backend; exactly one state is 1."),
      counter(kBackendStateEntries, "codex_agent_backend_state_entries_total", "", {"backend", "state"},
              "Number of times each supervisor state was entered."),
      gauge(kBackendStateLastChangeTimestampSeconds,
            "codex_agent_backend_state_last_change_timestamp_seconds", "seconds", {"backend"},
            "Unix time of the last supervisor state change."),
      gauge(kBackendStartTimeSeconds, "codex_agent_backend_start_time_seconds", "seconds", {"backend"},
            "Unix time the current root process was started; absent while no process runs."),
      counter(kBackendStarts, "codex_agent_backend_starts_total", "", {"backend"},
              "Number of times the backend was started."),
      counter(kBackendStartFailures, "codex_agent_backend_start_failures_total", "", {"backend", "reason"},
              "Number of starts that never became ready, by reason."),
      counter(kBackendRestarts, "codex_agent_backend_restarts_total", "", {"backend", "reason"},
              "Number of automatic or requested restarts, by reason."),
      counter(kBackendExits, "codex_agent_backend_exits_total", "", {"backend", "outcome"},
              "Number of root process exits, by outcome."),
      counter(kBackendExitCauses, "codex_agent_backend_exit_causes_total", "", {"backend", "cause"},
              "Number of ends that nobody asked for, by diagnosed cause."),
      gauge(kBackendLastExitCode, "codex_agent_backend_last_exit_code", "", {"backend"},
            "Exit code of the last root process exit (128+N for signal N); absent before the first exit."),
      gauge(kBackendLastExitTimestampSeconds, "codex_agent_backend_last_exit_timestamp_seconds", "seconds",
            {"backend"}, "Unix time of the last root process exit; absent before the first exit."),
      gauge(kBackendRestartBackoffSeconds, "codex_agent_backend_restart_backoff_seconds", "seconds",
            {"backend"}, "Delay before the next automatic restart; 0 when none is pending."),
      gauge(kBackendRestartBudgetRemaining, "codex_agent_backend_restart_budget_remaining", "", {"backend"},
            "Automatic restarts that are left before the start limit is reached."),
      gauge(kBackendNextAttemptTimestampSeconds, "codex_agent_backend_next_attempt_timestamp_seconds",
            "seconds", {"backend"}, "Unix time of the next automatic start; absent when none is due."),
      counter(kBackendStopSignals, "codex_agent_backend_stop_signals_total", "", {"backend", "signal"},
              "Signals sent to stop the backend process group."),
      histogram(kBackendStartupDurationSeconds, "codex_agent_backend_startup_duration_seconds", "seconds",
                {"backend"}, "Time from spawn until the backend became ready, successful starts only."),
      gauge(kBackendStartupPhaseDurationSeconds, "codex_agent_backend_startup_phase_duration_seconds",
            "seconds", {"backend", "phase"},
            "Duration of each consecutive phase of the last startup; phases sum to the startup duration."),
      gauge(kBackendStartupTimeoutSeconds, "codex_agent_backend_startup_timeout_seconds", "seconds",
            {"backend"}, "Configured limit for one startup."),
      gauge(kProbeSuccess, "codex_agent_probe_success", "", {"backend", "probe"},
            "Whether the last completed attempt of the probe succeeded."),
      counter(kProbeAttempts, "codex_agent_probe_attempts_total", "", {"backend", "probe"},
              "Completed probe attempts."),
      counter(kProbeFailures, "codex_agent_probe_failures_total", "", {"backend", "probe", "reason"},
              "Failed probe attempts, by reason."),
      histogram(kProbeDurationSeconds, "codex_agent_probe_duration_seconds", "seconds", {"backend", "probe"},
                "Duration of successful probe attempts."),
      gauge(kProbeLastDurationSeconds, "codex_agent_probe_last_duration_seconds", "seconds",
            {"backend", "probe"}, "Duration of the last completed attempt, successful or not."),
      gauge(kProbePhaseDurationSeconds, "codex_agent_probe_phase_duration_seconds", "seconds",
            {"backend", "probe", "phase"}, "Duration of each phase of the last attempt."),
      gauge(kProbeLastAttemptTimestampSeconds, "codex_agent_probe_last_attempt_timestamp_seconds", "seconds",
            {"backend", "probe"}, "Unix time the last attempt completed."),
      gauge(kProbeLastSuccessTimestampSeconds, "codex_agent_probe_last_success_timestamp_seconds", "seconds",
            {"backend", "probe"},
            "Unix time the last successful attempt completed; absent before the first success."),
      gauge(kProbeConsecutiveFailures, "codex_agent_probe_consecutive_failures", "", {"backend", "probe"},
            "Current run of failed attempts."),
      gauge(kProbeFailureThreshold, "codex_agent_probe_failure_threshold", "", {"backend", "probe"},
            "Configured run of failures that turns the probe unhealthy."),
      gauge(kProbeIntervalSeconds, "codex_agent_probe_interval_seconds", "seconds", {"backend", "probe"},
            "Configured time between attempts."),
      gauge(kProbeTimeoutSeconds, "codex_agent_probe_timeout_seconds", "seconds", {"backend", "probe"},
            "Configured total time limit of one attempt."),
      gauge(kProbeHttpStatusCode, "codex_agent_probe_http_status_code", "", {"backend", "probe"},
            "HTTP status of the last attempt; 0 when no response was received."),
      gauge(kProbeHttpBodyBytes, "codex_agent_probe_http_body_bytes", "bytes", {"backend", "probe"},
            "Body bytes read by the last attempt."),
      info(kProbeInfo, "codex_agent_probe_info", "", {"backend", "probe", "kind", "target"},
           "Static description of a probe; value is always 1."),
      gauge(kBackendHung, "codex_agent_backend_hung", "", {"backend"},
            "Whether the backend is currently judged hung."),
      gauge(kBackendOverloaded, "codex_agent_backend_overloaded", "", {"backend"},
            "Whether the backend serves its clients with no CPU time left for more."),
      counter(kBackendHangs, "codex_agent_backend_hangs_total", "", {"backend", "class"},
              "Confirmed hangs of the backend, by class."),
      gauge(kBackendWorkers, "codex_agent_backend_workers", "", {"backend"},
            "Processes that serve the backend's port."),
      gauge(kBackendWorkersHung, "codex_agent_backend_workers_hung", "", {"backend"},
            "Of these, processes judged hung while others serve."),
      counter(kBackendWorkerHangs, "codex_agent_backend_worker_hangs_total", "", {"backend", "class"},
              "Confirmed hangs of single workers while others served, by class."),
      histogram(
          kBackendHangDurationSeconds, "codex_agent_backend_hang_duration_seconds", "seconds", {"backend"},
          "Time from the end of progress until progress or the end of the process, of confirmed hangs."),
      histogram(kBackendHangDetectionDelaySeconds, "codex_agent_backend_hang_detection_delay_seconds",
                "seconds", {"backend"}, "Time from the end of progress until the hang was confirmed."),
      gauge(kBackendHangSignal, "codex_agent_backend_hang_signal", "", {"backend", "signal"},
            "Whether this observation speaks for a hang at the moment."),
      counter(kBackendHangWatchCpuSeconds, "codex_agent_backend_hang_watch_cpu_seconds_total", "seconds",
              {"backend"}, "CPU time that watching the backend for hangs has cost the agent."),
      gauge(kBackendAcceptQueueConnections, "codex_agent_backend_accept_queue_connections", "", {"backend"},
            "Connections waiting to be accepted on the backend's listening sockets."),
      histogram(kBackendRecoveryDurationSeconds, "codex_agent_backend_recovery_duration_seconds", "seconds",
                {"backend"}, "Time from detecting a failure until the backend was ready again."),
      gauge(kBackendProcesses, "codex_agent_backend_processes", "", {"backend"},
            "Processes in the backend's process tree."),
      gauge(kBackendThreads, "codex_agent_backend_threads", "", {"backend"},
            "Threads in the backend's process tree."),
      gauge(kBackendProcessStates, "codex_agent_backend_process_states", "", {"backend", "state"},
            "Processes in the tree by kernel state."),
      counter(kBackendCpuSeconds, "codex_agent_backend_cpu_seconds_total", "seconds", {"backend", "mode"},
              "CPU time used by the process tree, including exited and reaped descendants."),
      gauge(kBackendResidentMemoryBytes, "codex_agent_backend_resident_memory_bytes", "bytes", {"backend"},
            "Resident memory of the process tree (shared pages counted once per process)."),
      gauge(kBackendVirtualMemoryBytes, "codex_agent_backend_virtual_memory_bytes", "bytes", {"backend"},
            "Virtual memory of the process tree."),
      gauge(kBackendSwapMemoryBytes, "codex_agent_backend_swap_memory_bytes", "bytes", {"backend"},
            "Swapped-out memory of the process tree."),
      gauge(kBackendUsedMemoryBytes, "codex_agent_backend_used_memory_bytes", "bytes", {"backend"},
            "Memory that the process tree uses, as compared with its limit: of its cgroup without inactive "
            "file "
            "cache, or with shared pages counted once; resident memory where neither is measured."),
      gauge(kBackendProportionalMemoryBytes, "codex_agent_backend_proportional_memory_bytes", "bytes",
            {"backend"}, "Proportional set size of the process tree; only with PSS collection enabled."),
      gauge(kBackendMemoryLimitBytes, "codex_agent_backend_memory_limit_bytes", "bytes", {"backend"},
            "Configured memory limit of the process tree; absent when unlimited."),
      gauge(kBackendOpenFds, "codex_agent_backend_open_fds", "", {"backend"},
            "Open file descriptors in the process tree."),
      gauge(kBackendWorstFdRatio, "codex_agent_backend_worst_fd_ratio", "ratio", {"backend"},
            "Highest ratio of open to allowed file descriptors of any process in the tree."),
      counter(kBackendReadBytes, "codex_agent_backend_read_bytes_total", "bytes", {"backend"},
              "Bytes the process tree fetched from storage."),
      counter(kBackendWrittenBytes, "codex_agent_backend_written_bytes_total", "bytes", {"backend"},
              "Bytes the process tree sent to storage."),
      counter(kBackendMajorPageFaults, "codex_agent_backend_major_page_faults_total", "", {"backend"},
              "Major page faults of the process tree."),
      counter(kBackendMinorPageFaults, "codex_agent_backend_minor_page_faults_total", "", {"backend"},
              "Minor page faults of the process tree."),
      counter(kBackendContextSwitches, "codex_agent_backend_context_switches_total", "", {"backend", "kind"},
              "Context switches of the process tree, summed over threads."),
      counter(kBackendOutputLines, "codex_agent_backend_output_lines_total", "", {"backend", "stream"},
              "Lines the backend wrote, by stream."),
      counter(kBackendOutputBytes, "codex_agent_backend_output_bytes_total", "bytes", {"backend", "stream"},
              "Bytes the backend wrote, by stream."),
      counter(kBackendOutputDroppedBytes, "codex_agent_backend_output_dropped_bytes_total", "bytes",
              {"backend"}, "Bytes of backend output lost because the disk or the queue did not take them."),
      gauge(kBackendLastOutputTimestampSeconds, "codex_agent_backend_last_output_timestamp_seconds",
            "seconds", {"backend"}, "Unix time of the backend's last output; absent before the first."),
      info(kBuildInfo, "codex_agent_build_info", "", {"version", "revision", "compiler"},
           "Build of the running codex-agent; value is always 1."),
      gauge(kConfigLastReloadSuccessful, "codex_agent_config_last_reload_successful", "", {},
            "Whether the last configuration load succeeded."),
      gauge(kConfigLastReloadSuccessTimestampSeconds,
            "codex_agent_config_last_reload_success_timestamp_seconds", "seconds", {},
            "Unix time of the last successful configuration load."),
      gauge(kScrapeDurationSeconds, "codex_agent_scrape_duration_seconds", "seconds", {},
            "Time codex-agent took to collect this exposition."),
      gauge(kScrapeCollectorSuccess, "codex_agent_scrape_collector_success", "", {"collector"},
            "Whether a collector succeeded during this exposition."),
      gauge(kScrapeCollectorDurationSeconds, "codex_agent_scrape_collector_duration_seconds", "seconds",
            {"collector"}, "Time a collector took during this exposition."),
      counter(kCollectErrors, "codex_agent_collect_errors_total", "", {"source"},
              "Errors reading data sources, by source."),
      counter(kHttpRequests, "codex_agent_http_requests_total", "", {"handler", "code"},
              "HTTP requests served, by handler and status code."),
      gauge(kHttpRequestsInFlight, "codex_agent_http_requests_in_flight", "", {},
            "HTTP requests being served."),
      counter(kHttpRejectedConnections, "codex_agent_http_rejected_connections_total", "", {"reason"},
              "Connections refused or cut by the HTTP server, by reason."),
      gauge(kLoopLastIterationTimestampSeconds, "codex_agent_loop_last_iteration_timestamp_seconds",
            "seconds", {"loop"}, "Unix time each internal loop last completed an iteration."),
      histogram(kLoopLagSeconds, "codex_agent_loop_lag_seconds", "seconds", {"loop"},
                "Delay of internal timers against their schedule."),
      counter(kLoopCallbackErrors, "codex_agent_loop_callback_errors_total", "", {"loop"},
              "Exceptions that reached an internal loop; each one was survived."),
      counter(kLogMessages, "codex_agent_log_messages_total", "", {"level"},
              "Log messages written by codex-agent, by level."),
      counter(kEventCommandRuns, "codex_agent_event_hook_runs_total", "", {"result"},
              "Events for the on_event command, by result; dropped ones were never given to it."),
      counter(kEvidenceCaptures, "codex_agent_evidence_captures_total", "", {"result"},
              "Closer looks at suspected and confirmed hangs, by result."),
      counter(kProcessCpuSeconds, "process_cpu_seconds_total", "seconds", {},
              "Total user and system CPU time spent in seconds."),
      gauge(kProcessOpenFds, "process_open_fds", "", {}, "Number of open file descriptors."),
      gauge(kProcessMaxFds, "process_max_fds", "", {}, "Maximum number of open file descriptors."),
      gauge(kProcessVirtualMemoryBytes, "process_virtual_memory_bytes", "bytes", {},
            "Virtual memory size in bytes."),
      gauge(kProcessVirtualMemoryMaxBytes, "process_virtual_memory_max_bytes", "bytes", {},
            "Maximum amount of virtual memory available in bytes."),
      gauge(kProcessResidentMemoryBytes, "process_resident_memory_bytes", "bytes", {},
            "Resident memory size in bytes."),
      gauge(kProcessStartTimeSeconds, "process_start_time_seconds", "seconds", {},
            "Start time of the process since unix epoch in seconds."),
      gauge(kProcessThreads, "process_threads", "", {}, "Number of OS threads in the process."),
  };
}

}  // namespace

const std::vector<MetricDefinition>& metric_catalogue() {
  static const std::vector<MetricDefinition> kCatalogue = make_catalogue();
  return kCatalogue;
}

const MetricDefinition* find_metric(std::string_view name) {
  const auto& all = metric_catalogue();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& m) { return m.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace codex
