#include "tests/exporters/sample_snapshot.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "agent/os/unique_fd.h"

namespace codex::testing {

namespace {

/// Milliseconds after 2025-08-22T11:13:54.125Z.
WallTime at(int milliseconds) {
  return WallTime(std::chrono::milliseconds(1755861234125 + milliseconds));
}

template <std::size_t N>
Counts counts_of(const std::string_view (&names)[N], std::uint64_t first) {
  Counts counts;
  for (const std::string_view name : names) counts.emplace(name, first++);
  return counts;
}

ProbeSnapshot probe(const std::string& name, const std::string& target) {
  static constexpr std::string_view kReasons[] = {"timeout", "refused", "reset",   "resolve",
                                                  "tls",     "status",  "body",    "protocol",
                                                  "auth",    "query",   "internal"};
  ProbeSnapshot probe;
  probe.name = probe.kind = name;
  probe.role = "liveness";
  probe.target = target;
  probe.period_seconds = 5;
  probe.timeout_seconds = 2.5;
  probe.failure_threshold = 3;
  probe.outcome = "success";
  probe.elapsed_seconds = 0.0034;
  probe.attempts = 100;
  probe.failures = counts_of(kReasons, 0);
  for (const double seconds : {.0005, .003, .003, .2, 20.0}) probe.duration.observe(seconds);
  probe.phases = {{"resolve", 0.0001}, {"connect", 0.0003}};
  probe.last_attempt = at(10000);
  probe.age_seconds = 2.5;
  probe.last_success = at(10000);
  probe.detail = name + " answers";
  return probe;
}

ResourceSnapshot resources() {
  ResourceSnapshot tree;
  tree.processes = 4;
  tree.threads = 33;
  for (const std::string_view state : kProcessStates) tree.process_states[std::string(state)] = 0;
  tree.process_states["sleeping"] = 3;
  tree.process_states["running"] = 1;
  tree.cpu_user_seconds = 12.5;
  tree.cpu_system_seconds = 2.25;
  tree.resident_bytes = 117440512;
  tree.used_memory_bytes = 100663296;
  tree.used_memory_source = "proportional";
  tree.virtual_bytes = 4294967296;
  tree.swap_bytes = 8192;
  tree.proportional_bytes = 100663296;
  tree.open_fds = 63;
  tree.worst_fd_ratio = 0.04;
  tree.read_bytes = 4096;
  tree.written_bytes = 20480;
  tree.major_faults = 7;
  tree.minor_faults = 100000;
  tree.voluntary_switches = 5000;
  tree.involuntary_switches = 60;
  return tree;
}

BackendSnapshot backend() {
  BackendSnapshot backend;
  backend.name = "codex";
  backend.state = "running";
  backend.health = "healthy";
  backend.desired_running = backend.ready = true;
  backend.pid = 4242;
  backend.generation = 2;
  backend.started_at = at(0);
  backend.uptime_seconds = 7983.5;
  backend.restarts = counts_of(kRestartReasons, 0);
  backend.starts = 4;
  backend.start_failures = counts_of(kStartFailureReasons, 10);
  backend.exits = counts_of(kExitOutcomes, 20);
  backend.stop_signals = {{"SIGTERM", 3}, {"SIGKILL", 1}};
  backend.state_entries = counts_of(kStates, 30);
  backend.last_exit =
      LastExit{"signal", 137, "SIGKILL", at(-5000), "oom_kill", "the heap was full (server.js:20)"};
  backend.last_end = LastEnd{at(-5000), "Server has ended."};
  backend.exit_causes = {{"oom_kill", 1}};
  backend.hangs = {{"db_wait", 0}, {"spin", 2}};
  backend.workers = {3, {}, {{"db_wait", 0}, {"spin", 1}}};
  backend.hang_duration.observe(7.5);
  backend.hang_detection_delay.observe(0.8);
  backend.overloaded = true;
  backend.hang_signals = {{"accept_queue", 1}, {"event_loop", 0}};
  backend.hang_watch_cpu_seconds = 12.5;
  backend.next_attempt = at(30);
  backend.restart_budget = 4;
  backend.restart_limit = 5;
  backend.restart_interval_seconds = 60;
  backend.memory_limit_bytes = 512 << 20;
  backend.last_transition = LastTransition{at(3420), "starting", "running", "started", "all checks answer"};
  backend.port = PortSnapshot{5000, true, 4251, "node", true, 0};
  backend.probes = {probe("database", "127.0.0.1:5432/codex"), probe("http", "http://127.0.0.1:5000/health"),
                    probe("port", "127.0.0.1:5000")};
  backend.probes[1].http_status = 200;
  backend.probes[1].body_bytes = 15;
  backend.startup.duration_seconds = 3.42;
  backend.startup.phases = {{"spawn", .01}, {"listen", 2.1}, {"database", .41}, {"respond", .9}};
  backend.startup_duration.observe(3.42);
  backend.startup_timeout_seconds = 60;
  backend.recovery_duration.observe(4.5);
  backend.resources = backend.totals = resources();
  backend.output.lines = counts_of(kStreams, 40);
  backend.output.bytes = counts_of(kStreams, 50);
  backend.output.dropped_bytes = 17;
  backend.output.last_output = at(9000);
  backend.last_hang = HangSnapshot{"spin",
                                   at(-60000),
                                   "uses 99 % of a CPU and returns to no event loop",
                                   "slowQuery (server.js:12)",
                                   "20250822T111254.125Z-codex",
                                   "",
                                   at(-55000),
                                   6.5,
                                   1.5};
  backend.log_file = "/srv/codex/logs/server.log";
  return backend;
}

}  // namespace

Snapshot sample_snapshot() {
  Snapshot snapshot;
  snapshot.agent.version = "0.1.0";
  snapshot.agent.revision = "abc123";
  snapshot.agent.compiler = "gcc 12.2.0";
  snapshot.agent.pid = 4000;
  snapshot.agent.uptime_seconds = 8000;
  snapshot.agent.metrics_url = "http://127.0.0.1:9847/metrics";
  snapshot.agent.config_loaded_at = at(-100000);
  snapshot.agent.collectors = {{"process", true, .0005}, {"io", false, .0001}, {"port", true, .00002}};
  snapshot.agent.collect_errors = {{"proc_io", 2}, {"proc_stat", 0}};
  snapshot.agent.log_messages = counts_of(kLogLevels, 60);
  snapshot.agent.event_hook_runs = counts_of(kEventHookResults, 70);
  snapshot.agent.evidence = counts_of(kEvidenceResults, 80);
  snapshot.backends = {backend()};
  snapshot.loop.lag_counts = {100, 5, 1, 0, 0, 0, 0, 0, 1};
  snapshot.loop.lag_sum_seconds = 6.5;
  snapshot.loop.callback_errors = 1;
  snapshot.loop.last_iteration = at(11000);
  return snapshot;
}

BackendRecent sample_recent() {
  constexpr std::size_t kUnknown = 60;
  const auto series = [](double base, double swing, double period) {
    RecentValues values(kRecentSlots, std::numeric_limits<float>::quiet_NaN());
    for (std::size_t i = kUnknown; i < values.size(); ++i)
      values[i] = static_cast<float>(base + swing * (1 + std::sin(static_cast<double>(i) / period)));
    return values;
  };
  BackendRecent recent;
  recent.states = {{"stopped", "agent_started", 3000, 2990}, {"starting", "start_command", 2990, 2986.6},
                   {"running", "ready", 2986.6, 1800},       {"hung", "hang: spin", 1800, 1794},
                   {"stopping", "hang", 1794, 1793.5},       {"starting", "hang", 1793.5, 1790},
                   {"running", "ready", 1790, 1200},         {"degraded", "database: refused", 1200, 900}};
  double ago = 900;
  for (int crash = 0; crash < 3; ++crash, ago -= 20) {
    recent.states.push_back({"starting", "crash", ago, ago - 4});
    recent.states.push_back({"backoff", "crash", ago - 4, ago - 20});
  }
  recent.states.push_back({"failed", "start_limit", ago, ago - 200});
  recent.states.push_back({"starting", "start_command", ago - 200, ago - 203});
  recent.states.push_back({"running", "ready", ago - 203, 0});
  for (const char* name : {"database", "http", "port"})
    recent.probes.push_back({name, series(.0021, .0016, 9), RecentValues(kRecentSlots, 0)});
  for (std::size_t i = 240; i < 270; ++i) {
    recent.probes[0].seconds[i] = std::numeric_limits<float>::quiet_NaN();
    recent.probes[0].failures[i] = 1;
  }
  recent.used_memory_bytes = series(96 << 20, 8 << 20, 40);
  recent.cpu_ratio = series(.01, .06, 5);
  recent.events = {
      {at(3420), "starting", "running", "ready", "running, started in 3.42 s"},
      {at(-20000), "backoff", "failed", "start_limit", "It was restarted 5 times without success"},
      {at(-179000), "running", "hung", "hang: spin", "uses 99 % of a CPU"}};
  return recent;
}

ExpositionExtras sample_extras() {
  ExpositionExtras extras;
  extras.http.requests[{"/metrics", 200}] = 12;
  extras.http.rejected["deadline"] = 3;
  extras.http.in_flight = 1;
  extras.collect_seconds = .00025;
  return extras;
}

SnapshotSource source_of(Snapshot snapshot) {
  return [shared = std::make_shared<const Snapshot>(std::move(snapshot))] { return shared; };
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string without_process_metrics(const std::string& text) {
  std::string kept;
  for (const std::string& line : lines_of(text)) {
    const bool of_process = line.starts_with("process_") || line.starts_with("# HELP process_") ||
                            line.starts_with("# TYPE process_") || line.starts_with("# UNIT process_");
    if (!of_process) kept += line + "\n";
  }
  return kept;
}

CommandResult run_command(const std::string& command, const std::string& input) {
  std::string path = "/tmp/codex-test-XXXXXX";
  const UniqueFd file(::mkstemp(path.data()));
  if (!file) throw std::runtime_error("mkstemp failed");
  for (std::size_t done = 0; done < input.size();) {
    const auto n = ::write(file.get(), input.data() + done, input.size() - done);
    if (n <= 0) throw std::runtime_error("write failed");
    done += static_cast<std::size_t>(n);
  }
  CommandResult result;
  FILE* pipe = ::popen((command + " < " + path + " 2>&1").c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    result.output.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ::unlink(path.c_str());
  return result;
}

}  // namespace codex::testing
