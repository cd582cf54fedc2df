#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the agent answers, as values: the only place that knows its JSON. Texts are made safe for a terminal
/// here, once. A key that is missing, null or of another type is nullopt, "" or empty: an older or newer
/// agent must not break the command line.

namespace codex {

struct PortStatus {
  std::optional<std::int64_t> number, owner_pid, accept_queue;
  std::optional<bool> ours;
  bool listening = false;
  std::string owner_command;
};

struct ProbeStatus {
  std::string name, kind;
  std::string outcome;  ///< "" before the first attempt
  std::string reason, detail;
  std::optional<double> elapsed_seconds;
  std::optional<double> age_seconds;  ///< nullopt also from an older agent
  double period_seconds = 0;
  std::int64_t consecutive_failures = 0, failure_threshold = 0;
};

struct ResourceStatus {
  std::optional<std::int64_t> processes, threads, open_fds;
  std::optional<std::int64_t> memory_bytes;  ///< used; resident from an older agent
  std::string memory_source;                 ///< "resident" "proportional" "cgroup"
  std::optional<double> cpu_seconds;
  std::optional<double> cpu_ratio;  ///< cores in use
};

struct BackendStatus {
  std::string name, state, health, health_reason, desired;
  std::optional<std::int64_t> pid;
  std::optional<double> uptime_seconds;
  std::int64_t restarts = 0;
  std::vector<std::pair<std::string, std::int64_t>> restarts_by_reason;  ///< those above 0
  std::string last_exit;                                                 ///< "exit code 3", "SIGKILL" or ""
  std::string last_exit_why;    ///< the line that said so, with its place in the code, or ""
  std::string last_end;         ///< the sentence that tells the last end that nobody asked for, or ""
  std::string last_end_at;      ///< RFC 3339 or ""
  std::string awaiting;         ///< what the pending start waits for: "" "file_change" "database" "port"
  std::string next_attempt_at;  ///< RFC 3339 or ""
  std::optional<std::int64_t> restarts_left, restart_limit;  ///< of the restart budget
  std::optional<PortStatus> port;
  std::vector<ProbeStatus> probes;
  std::optional<double> startup_seconds;
  std::vector<std::pair<std::string, double>> startup_phases;  ///< reached ones in order, seconds
  std::string waiting_for;                                     ///< the phase under way, or ""
  std::optional<ResourceStatus> resources;
  std::optional<std::int64_t> memory_limit_bytes;
  std::string hang_class, hang_since, hang_detail;
  std::string hang_where, hang_action, hang_evidence;  ///< "" if not known
  std::optional<double> hang_seconds, hang_due_in_seconds;
  std::string log_file;  ///< raw: a path to open
  std::string problem;
};

/// How it ended, and why as far as it said so: "exit code 1: TypeError: x (server.js:20)".
std::string exit_words(const BackendStatus& backend);

struct StatusDocument {
  std::vector<BackendStatus> backends;
};

struct BackendResult {
  std::string backend, message;
  bool done = false;
  int code = 0;
  std::vector<std::string> output;  ///< what it wrote last, should its start have failed
};

struct OperationDocument {
  std::string command;
  std::uint64_t revision = 0;
  bool done = false;
  std::vector<BackendResult> results;
  StatusDocument status;
  bool handed_over = false;  ///< another agent takes over, and is to be asked
};

struct EventDocument {
  std::uint64_t seq = 0;
  std::string at, backend, event, from, to, reason, detail;
};

struct EventList {
  std::uint64_t last = 0;
  std::vector<EventDocument> events;
};

/// nullopt if `text` is not JSON or not such a document.
std::optional<StatusDocument> parse_status(std::string_view text);
std::optional<OperationDocument> parse_operation(std::string_view text);
std::optional<EventList> parse_events(std::string_view text);
/// One line of events.jsonl.
std::optional<EventDocument> parse_event(std::string_view line);
/// {"operation": 17}
std::optional<std::uint64_t> parse_operation_id(std::string_view text);
/// {"error": "..."}; "" if there is none.
std::string parse_error(std::string_view text);

/// Whether the answer says that another agent takes over, and is to be asked the same.
bool says_handed_over(std::string_view text);

/// {"backends": [...]}
std::string render_request(const std::vector<std::string>& backends);
/// The status document with only the named backends; "" if it is not one.
std::string select_backends(std::string_view status, const std::vector<std::string>& names);
/// The newest `count` of {"events": [...]} on one line; "" if it is not such a document.
std::string select_newest_events(std::string_view list, std::size_t count);
/// The "events" of such a document, one JSON object a line.
std::string events_as_lines(std::string_view list);
/// {"events": [...], "last": N} out of lines of events.jsonl; lines that are not JSON objects are left out.
std::string lines_as_events(std::string_view lines);
/// The last operation document as the one answer of --json: without the status of other backends.
std::string render_operation_answer(std::string_view operation);

/// Backends of `codex-agentd config-show --json`: name and raw path of the output file.
std::vector<std::pair<std::string, std::string>> parse_configured_backends(std::string_view text);

}  // namespace codex
