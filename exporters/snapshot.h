#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/loop_stats.h"
#include "exporters/histogram.h"

/// The one picture of the agent that every exporter renders: a plain, immutable value. The agent fills it;
/// exporters never ask anything else, so /metrics, status, page and events tell the same story.
/// Times that people see are wall time; nullopt means unknown or not (yet) there, never zero.

namespace codex {

/// Label values of codex_agent_backend_state, `state` of the status document.
inline constexpr std::string_view kStates[] = {"stopped", "starting", "running", "degraded",
                                               "hung",    "stopping", "backoff", "failed"};
inline constexpr std::string_view kStartFailureReasons[] = {"exec_error", "early_exit", "ready_timeout",
                                                            "aborted"};
inline constexpr std::string_view kRestartReasons[] = {
    "exit",     "crash",      "hang",         "probe_failure", "startup_timeout", "memory_limit",
    "oom_kill", "dependency", "wrapper_idle", "config_change", "manual"};
inline constexpr std::string_view kExitOutcomes[] = {"exit_zero", "exit_nonzero", "signal"};
/// Diagnoses of ends that nobody asked for, `cause` of codex_agent_backend_exit_causes_total.
inline constexpr std::string_view kExitCauses[] = {
    "exit",         "crash",      "segfault",   "abort",
    "heap_oom",     "oom_kill",   "port_taken", "module_not_found",
    "syntax_error", "db_refused", "exec_error", "wrapper_idle"};
inline constexpr std::string_view kProcessStates[] = {"running", "sleeping", "disk_sleep", "stopped",
                                                      "zombie",  "idle",     "other"};
inline constexpr std::string_view kStreams[] = {"stdout", "stderr"};
inline constexpr std::string_view kEventHookResults[] = {"success", "failure", "timeout", "dropped"};
inline constexpr std::string_view kEvidenceResults[] = {"success", "failure", "timeout"};
/// What can speak for a hang, `signal` of codex_agent_backend_hang_signal.
inline constexpr std::string_view kHangSignals[] = {"accept_queue",    "event_loop", "cpu",
                                                    "uninterruptible", "stopped",    "descriptors",
                                                    "http_probe",      "requests"};
inline constexpr std::string_view kLogLevels[] = {"debug", "info", "warning", "error"};

/// Counts by label value; every value of the closed set is present from the start, so that increase() sees
/// the first event.
using Counts = std::map<std::string, std::uint64_t, std::less<>>;

struct LastExit {
  std::string outcome;                ///< one of kExitOutcomes
  int code = 0;                       ///< exit code, or 128 + signal number as shells show it
  std::optional<std::string> signal;  ///< "SIGKILL"
  WallTime at{};
  std::string cause;  ///< one of kExitCauses; "" for an end that was asked for
  std::string why;    ///< the line that said so: "TypeError: x (server.js:20)"; safe to show; "" without one
};

/// The last end that nobody asked for, of the root process or of an application below it.
struct LastEnd {
  WallTime at{};
  std::string told;  ///< the sentence that tells how and why; safe to show
};

struct LastTransition {
  WallTime at{};
  std::string from, to;  ///< of kStates
  std::string reason;    ///< closed words: "start_command", "crash", "start_timeout", "port_taken" ...
  std::string detail;    ///< for a person; safe to show
};

struct PortSnapshot {
  std::uint16_t number = 0;
  bool listening = false;
  std::optional<int> owner_pid;
  std::string owner_command;  ///< "node"; safe to show
  bool ours = false;          ///< the owner is in the backend's tree
  std::optional<std::uint32_t> accept_queue;
};

struct ProbeSnapshot {
  std::string name, kind, role, target;
  double period_seconds = 0, timeout_seconds = 0;
  int failure_threshold = 0;
  std::optional<std::string> outcome;  ///< of the last attempt: "success" "failure" "unknown"
  std::string reason;                  ///< "" on success
  std::optional<double> elapsed_seconds;
  int consecutive_failures = 0;
  std::string detail;
  std::uint64_t attempts = 0;
  Counts failures;                                     ///< by reason, all reasons present
  Histogram duration{kProbeBounds};                    ///< successes only
  std::vector<std::pair<std::string, double>> phases;  ///< of the last attempt, seconds
  std::optional<WallTime> last_attempt, last_success;
  std::optional<double> age_seconds;        ///< since the last attempt ended
  std::optional<int> http_status;           ///< set for kind http once attempted
  std::optional<std::uint64_t> body_bytes;  ///< set for kind http once attempted
};

/// What a check said is older than its period, so that its age has to be told; a look may take a second to come.
inline bool is_old(double age_seconds, double period_seconds) {
  return age_seconds >= period_seconds + 1;
}

struct StartupSnapshot {
  std::optional<double> duration_seconds;  ///< of the last completed start
  /// Reached phases, seconds, in order; they sum to the duration.
  std::vector<std::pair<std::string, double>> phases;
  std::optional<std::string> waiting_for;                ///< while starting: the phase under way
  std::vector<std::pair<std::string, double>> progress;  ///< while starting: phases reached so far, seconds
};

/// Totals of the process tree. Counters never go down while the agent lives, restarts included.
struct ResourceSnapshot {
  std::uint64_t processes = 0, threads = 0;
  std::map<std::string, std::uint64_t> process_states;  ///< all of kProcessStates
  double cpu_user_seconds = 0, cpu_system_seconds = 0;
  std::optional<double> cpu_ratio;  ///< cores in use since the last look; nullopt before the second one
  std::uint64_t resident_bytes = 0, virtual_bytes = 0, swap_bytes = 0;
  std::optional<std::uint64_t> proportional_bytes;
  std::uint64_t used_memory_bytes = 0;          ///< what a memory limit is compared with
  std::string used_memory_source = "resident";  ///< of what: "resident" "proportional" "cgroup"
  std::uint64_t open_fds = 0;
  double worst_fd_ratio = 0;
  std::optional<std::uint64_t> read_bytes, written_bytes;  ///< nullopt: /proc/PID/io may not be read
  std::uint64_t major_faults = 0, minor_faults = 0;
  std::uint64_t voluntary_switches = 0, involuntary_switches = 0;
};

struct OutputSnapshot {
  Counts lines, bytes;  ///< by stream
  std::uint64_t dropped_bytes = 0;
  std::optional<WallTime> last_output;
};

/// A confirmed hang.
struct HangSnapshot {
  std::string hang_class;
  WallTime since{};
  std::string detail;
  std::string where;              ///< "slowQuery (server.js:12)"; "" if unknown
  std::string evidence;           ///< id of the incident; "" while nothing is kept of it
  std::string action;             ///< what comes next: "report" "continue" "restart"; "" once it is over
  std::optional<WallTime> due{};  ///< when, at the earliest; nullopt for a report
  double lasted_seconds = 0;
  std::optional<double> due_in_seconds{};  ///< not below 0
};

/// A process that hangs while others of the same backend go on serving.
struct HungWorkerSnapshot {
  int pid = 0;
  std::string hang_class, detail;
  std::string where;     ///< as in HangSnapshot
  std::string evidence;  ///< as in HangSnapshot
  WallTime since{};
  double lasted_seconds = 0;
};

/// The processes that serve the port.
struct WorkersSnapshot {
  int serving = 0;  ///< 0: not known, or nothing listens
  std::vector<HungWorkerSnapshot> hung;
  Counts hangs;  ///< confirmed ones of single workers, by class
};

struct BackendSnapshot {
  std::string name;
  std::string state;          ///< one of kStates
  std::string health;         ///< "unknown" "healthy" "degraded" "hung"
  std::string health_reason;  ///< "" or e.g. "database: refused"; while healthy "http failing 2 of 3"
  bool desired_running = false;
  bool ready = false;
  std::optional<int> pid;  ///< root process
  std::uint64_t generation = 0;
  std::optional<WallTime> started_at;
  std::optional<double> uptime_seconds;
  Counts restarts;  ///< by reason
  std::uint64_t starts = 0;
  Counts hangs;  ///< confirmed ones, by class
  WorkersSnapshot workers;
  Histogram hang_duration{kRecoveryBounds};
  Histogram hang_detection_delay{kDetectionBounds};
  bool overloaded = false;  ///< no time left, though it gets on
  Counts hang_signals;      ///< 1 while it speaks for a hang; all of kHangSignals
  double hang_watch_cpu_seconds = 0;
  Counts start_failures, exits, exit_causes, stop_signals, state_entries;
  std::optional<LastExit> last_exit;
  std::optional<LastEnd> last_end;
  std::optional<LastTransition> last_transition;
  double backoff_seconds = 0;  ///< delay before the pending automatic restart, 0 without one
  int restart_budget = 0;      ///< automatic restarts that are left ...
  int restart_limit = 0;       ///< ... of so many in ...
  double restart_interval_seconds = 0;
  std::string awaiting;  ///< what the pending start waits for: "" "file_change" "database" "port"
  std::optional<WallTime> next_attempt;
  std::optional<PortSnapshot> port;
  std::vector<ProbeSnapshot> probes;
  StartupSnapshot startup;
  Histogram startup_duration{kStartupBounds};
  double startup_timeout_seconds = 0;
  Histogram recovery_duration{kRecoveryBounds};
  std::optional<ResourceSnapshot> resources;  ///< nullopt while nothing runs
  std::optional<std::uint64_t> memory_limit_bytes;
  ResourceSnapshot totals;  ///< counters for the exposition; gauges 0 while nothing runs
  OutputSnapshot output;
  std::optional<HangSnapshot> hang;
  std::optional<HangSnapshot> last_hang;  ///< the one before, once it is over; nullopt while one is confirmed
  std::string log_file;                   ///< absolute path of the backend's output
  std::string problem;                    ///< "" or one line: what is wrong, the cause, the next command
};

/// Success and cost of one source of data, codex_agent_scrape_collector_*.
struct CollectorSnapshot {
  std::string name;  ///< "process" "io" "port"
  bool success = true;
  double duration_seconds = 0;
};

struct AgentSnapshot {
  std::string version, revision, compiler;
  int pid = 0;
  double uptime_seconds = 0;
  std::string metrics_url;
  bool config_ok = true;
  WallTime config_loaded_at{};
  std::vector<CollectorSnapshot> collectors;
  Counts collect_errors;   ///< by source
  Counts log_messages;     ///< by level, all of kLogLevels
  Counts event_hook_runs;  ///< by result, all of kEventHookResults
  Counts evidence;         ///< captures by result, all of kEvidenceResults
  std::string log_error;   ///< "" or why lines of our own log are dropped
};

struct Snapshot {
  AgentSnapshot agent;
  std::vector<BackendSnapshot> backends;
  LoopStats loop;
};

/// Gives the current snapshot; cheap when nothing changed. Loop thread.
using SnapshotSource = std::function<std::shared_ptr<const Snapshot>()>;

}  // namespace codex
