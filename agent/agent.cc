#include "agent/agent.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "agent/control/control_routes.h"
#include "agent/control/handover_request.h"
#include "agent/evidence/incident_store.h"
#include "agent/os/check.h"
#include "agent/os/files.h"
#include "agent/record/log_line.h"
#include "agent/startup_pages.h"
#include "agent/text/host_port.h"
#include "exporters/prometheus/exposition.h"
#include "exporters/status/status_document.h"
#include "exporters/status_page/status_page.h"

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kEventsMaxBytes = 4 * 1024 * 1024;
constexpr Duration kHandoverPatience = seconds(10);
constexpr Duration kHousekeepingPeriod = seconds(2);
constexpr Duration kAnswersLeave = milliseconds(20);  // what was just answered, before the loop is left

LogLevel level_of(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

/// The state directory, private; made before anything that lives in it.
const std::filesystem::path& prepared(const std::filesystem::path& directory) {
  make_private_directory(directory);
  return directory;
}

std::filesystem::path control_socket(const Config& config) {
  return config.state_directory / "control.sock";
}

std::optional<InstanceLock::Takeover> takeover(const Config& config, const AgentOptions& options) {
  if (!options.replace) return std::nullopt;
  return InstanceLock::Takeover{[socket = control_socket(config)] { request_handover(socket); },
                                kHandoverPatience};
}

/// The agent may need more descriptors than a shell's default: every waiting client is one. Returns the
/// limits that were in force, for the children.
rlimit raise_open_files_limit() {
  rlimit inherited{};
  check("getrlimit", ::getrlimit(RLIMIT_NOFILE, &inherited));
  rlimit raised = inherited;
  raised.rlim_cur = raised.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return inherited;
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  check("getsockname", ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size));
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

std::string url_of(const std::string& host, std::uint16_t port) {
  return "http://" + join_host_port(host, port) + "/metrics";
}

}  // namespace

Agent::Agent(Config config, AgentOptions options)
    : config_(std::move(config)),
      options_(options),
      lock_(prepared(config_.state_directory), config_.project_directory, takeover(config_, options)),
      inherited_open_files_(raise_open_files_limit()),
      log_file_(disk_, config_.agent.log_file, config_.agent.log_max_bytes, config_.agent.log_keep),
      log_(config_.redactor, &log_file_, level_of(config_.agent.log_level)),
      events_file_(disk_, config_.state_directory / "events.jsonl", kEventsMaxBytes, 1),
      events_(events_file_),
      state_(loop_, disk_, config_.state_directory / "state.json", [this] { changed(); }),
      identities_(config_.state_directory),
      curl_(loop_),
      reaper_(loop_, [this](pid_t pid, const ExitStatus& status,
                            const rusage& usage) { on_reaped(pid, status, usage); }),
      event_hook_(
          loop_, config_.agent.on_event, identities_.of_commands(), config_.redactor, log_,
          [this] { changed(); }, inherited_open_files_),
      evidence_(loop_, evidence_directory(config_.state_directory), identities_.of_commands(),
                config_.redactor, log_, [this] { changed(); }),
      operations_([this] { return loop_.now(); }),
      sigterm_(loop_, SIGTERM, [this] { shut_down(); }),
      sigint_(loop_, SIGINT, [this] { shut_down(); }),
      resume_(loop_, "resume", [this] { resume(); }),
      publish_(
          loop_, "publish", [this] { publish(); }, Priority::kUrgent),
      deadlines_(
          loop_, "deadlines", [this] { publish(); }, Priority::kNormal, milliseconds(100)),
      end_(loop_, "end", [this] { event_hook_.finish([this] { loop_.stop(exit_code_); }); }),
      hand_over_(loop_, "hand over", [this] { finish_hand_over(); }),
      settled_(
          loop_, "settled", [] { release_startup_pages(); }, Priority::kLow, seconds(1)),
      housekeeping_(
          loop_, "housekeeping", [this] { look_after_state_directory(); }, Priority::kLow,
          milliseconds(500)) {
  std::vector<std::string> names;
  for (const auto& backend : config_.backends) names.push_back(backend.name);
  identities_.complete(names);
  for (const auto& secret : identities_.secrets()) config_.redactor.add(Secret(secret));

  loop_.on_error([this](std::string_view name, std::string_view what) { callback_failed(name, what); });

  events_.on_append([this](const LifecycleEvent& event) { event_hook_.add(event); });

  auto listener = listen_tcp(config_.agent.listen_host, config_.agent.listen_port);
  metrics_url_ = url_of(config_.agent.listen_host, bound_port(listener.get()));
  const char* cgroup = std::getenv("CODEX_AGENT_CGROUP");
  const BackendServices services{loop_,
                                 schedule_,
                                 disk_,
                                 resolver_,
                                 walker_,
                                 curl_,
                                 config_.redactor,
                                 log_,
                                 events_,
                                 state_,
                                 evidence_,
                                 config_.state_directory,
                                 config_.agent.log_file,
                                 identities_,
                                 cgroup == nullptr || std::string(cgroup) != "off",
                                 inherited_open_files_};
  for (const auto& backend : config_.backends) {
    backends_.push_back(std::make_unique<Backend>(backend, services, [this] { changed(); }));
    targets_.emplace_back(*backends_.back());
  }

  const SnapshotSource source = [this] { return snapshot(); };
  add_metrics_route(public_routes_, source, [this] { return public_front_->stats(); });
  add_status_routes(public_routes_, source);
  const RecentSource recent = [this] {
    std::vector<BackendRecent> all_recent;
    for (const auto& backend : backends_) all_recent.push_back(backend->recent());
    return all_recent;
  };
  add_history_route(public_routes_, source, recent);
  add_status_page(public_routes_, source, recent);
  add_control_routes(control_routes_, {all_targets(), operations_, events_, source,
                                       [this] { return shutting_down_; }, [this] { return handing_over_; },
                                       [this](const Operation& operation) { end_after(operation.id); },
                                       [this] { hand_over(); }});

  std::vector<std::string> hosts{"localhost", "127.0.0.1", "::1", config_.agent.listen_host};
  hosts.insert(hosts.end(), config_.agent.allowed_hosts.begin(), config_.agent.allowed_hosts.end());
  public_front_ = std::make_unique<HttpFront>(loop_, std::move(listener), public_routes_, HttpLimits{}, hosts,
                                              std::nullopt);
  open_control();
}

void Agent::open_control() {
  HttpLimits limits;
  limits.body_bytes = 64 * 1024;
  control_front_ =
      std::make_unique<HttpFront>(loop_, listen_unix(control_socket(config_).string()), control_routes_,
                                  limits, std::vector<std::string>{}, ::geteuid());
}

int Agent::run() {
  announce();
  for (const auto& backend : backends_) to_resume_.push_back(backend.get());
  resume();
  settled_.arm_after(seconds(5));
  housekeeping_.arm_after(kHousekeepingPeriod);
  changed();
  const int code = loop_.run();
  log_.info(LogLine("agent_ended").kv("pid", ::getpid()).kv("handed_over", handing_over_).str());
  if (!handing_over_) state_.remove();
  std::error_code ignored;
  std::filesystem::remove(control_socket(config_), ignored);
  return code;
}

void Agent::callback_failed(std::string_view callback, std::string_view error) {
  LogLine line("callback_failed");
  line.kv("callback", callback).kv("error", error);
  const auto times = callback_errors_.note(line.str(), Clock::now());
  if (!times) return;
  if (*times > 1) line.kv("times", *times);
  log_.error(line.str());
}

void Agent::resume() {
  std::erase_if(to_resume_, [this](Backend* backend) {
    try {
      const bool held = std::find(options_.adopt_only_of.begin(), options_.adopt_only_of.end(),
                                  backend->name()) != options_.adopt_only_of.end();
      backend->resume(options_.start_backends, !options_.adopt_only && !held);
      return true;
    } catch (const std::system_error& e) {
      callback_failed("resume", e.what());
      return false;
    }
  });
  if (!to_resume_.empty() && !shutting_down_) resume_.arm_after(seconds(1));
}

void Agent::announce() {
  // Before anybody is told.
  const UniqueFd null(check("open /dev/null", ::open("/dev/null", O_RDWR | O_CLOEXEC)));
  log_.set_stderr(!options_.ready_fd);
  log_.info(LogLine("agent_started")
                .kv("version", CODEX_VERSION)
                .kv("pid", ::getpid())
                .kv("metrics", metrics_url_)
                .str());
  if (!state_.damage().empty())
    log_.warning(LogLine("state_file_ignored").kv("why", config_.redactor.safe(state_.damage())).str());
  if (!identities_.trouble().empty())
    log_.warning(LogLine("secrets_not_saved")
                     .kv("why", config_.redactor.safe(identities_.trouble()))
                     .kv("then", "an agent that comes after this one will not know its backends")
                     .str());
  for (const auto& warning : config_.warnings)
    log_.warning(LogLine("config_warning").kv("text", warning).str());
  sd_notify(0, "READY=1");
  sd_event_set_watchdog(loop_.raw(), 1);
  if (!options_.ready_fd) return;
  const UniqueFd ready(*options_.ready_fd);
  [[maybe_unused]] const auto n = ::write(ready.get(), "1", 1);
  // The terminal belongs to whoever started us; from here on there is only the log file.
  ::dup2(null.get(), 1);
  ::dup2(null.get(), 2);
}

void Agent::on_reaped(pid_t pid, const ExitStatus& status, const rusage& usage) {
  for (const auto& backend : backends_) {
    if (backend->on_reaped(pid, status, usage)) return;
  }
  event_hook_.on_reaped(pid, status);
  evidence_.on_reaped(pid, status);
}

void Agent::changed() {
  snapshot_.reset();
  if (!publish_.armed()) publish_.arm_after(Duration{0});
}

/// Once a loop turn, however much has changed in it.
void Agent::publish() {
  const bool waiting = operations_.follow();
  const std::uint64_t news = operations_.revisions() + events_.last();
  if (control_front_ && news != std::exchange(told_, news)) control_front_->wake_parked();
  if (waiting) deadlines_.arm_after(seconds(1));
  if (handing_over_ || !shutting_down_ || ending_) return;
  const bool resting = std::all_of(backends_.begin(), backends_.end(), [](const auto& backend) {
    return backend->lifecycle().state() == State::kStopped;
  });
  const auto* operation = shutdown_operation_ ? operations_.find(*shutdown_operation_) : nullptr;
  if (resting || (operation != nullptr && operation->done())) {
    ending_ = true;
    exit_code_ = resting ? 0 : 1;
    end_.arm_after(kAnswersLeave);
  }
}

void Agent::shut_down() {
  if (shutdown_operation_) return;
  end_after(operations_.begin(Command::kShutdown, all_targets()).id);
}

std::vector<OperationTarget*> Agent::all_targets() {
  std::vector<OperationTarget*> all;
  for (auto& target : targets_) all.push_back(&target);
  return all;
}

void Agent::end_after(std::uint64_t operation) {
  log_.info(LogLine("shutdown_requested").str());
  sd_notify(0, "STOPPING=1");
  shutdown_operation_ = operation;
  shutting_down_ = true;
  changed();
}

/// The next agent is waiting for our locks: end soon, and leave everything as it is.
void Agent::hand_over() {
  if (handing_over_) return;
  log_.info(LogLine("handover_requested").str());
  handing_over_ = shutting_down_ = true;
  holding_ = backends_.size();
  for (const auto& backend : backends_) backend->release([this] { --holding_; });
  operations_.hand_over();
  changed();
  hand_over_.arm_after(kAnswersLeave);
}

void Agent::finish_hand_over() {
  if (holding_ == 0 && state_.settled()) return loop_.stop(0);
  hand_over_.arm_after(milliseconds(5));
}

/// Without its socket the agent would work on and could not be reached.
void Agent::look_after_state_directory() {
  housekeeping_.arm_after(kHousekeepingPeriod);
  if (!identities_.trouble().empty()) identities_.write();
  [[maybe_unused]] const bool accepted =
      disk_.submit([socket = control_socket(config_), post = loop_.poster(), this] {
        std::error_code error;
        const auto type = std::filesystem::symlink_status(socket, error).type();
        if (type == std::filesystem::file_type::not_found) post([this] { renew_state_directory(); });
      });
}

void Agent::renew_state_directory() {
  if (ending_ || handing_over_) return;
  log_.warning(LogLine("state_directory_renewed").kv("why", "its control socket had been removed").str());
  make_private_directory(config_.state_directory);
  lock_.renew();
  open_control();
  identities_.write();
  state_.rewrite();
}

std::shared_ptr<const Snapshot> Agent::snapshot() {
  if (!snapshot_) snapshot_ = std::make_shared<const Snapshot>(build_snapshot());
  return snapshot_;
}

Snapshot Agent::build_snapshot() {
  Snapshot snapshot;
  snapshot.agent.version = CODEX_VERSION;
  snapshot.agent.revision = CODEX_REVISION;
  snapshot.agent.compiler = "g++ " __VERSION__;
  snapshot.agent.pid = ::getpid();
  snapshot.agent.uptime_seconds = to_seconds(Clock::now() - started_at_);
  snapshot.agent.metrics_url = metrics_url_;
  snapshot.agent.config_loaded_at = config_loaded_at_;
  snapshot.agent.log_messages = log_.counts();
  snapshot.agent.event_hook_runs = event_hook_.counts();
  snapshot.agent.evidence = evidence_.counts();
  snapshot.agent.log_error = log_file_.stats().last_error;
  for (const auto& backend : backends_) snapshot.backends.push_back(backend->snapshot());
  add_collectors(snapshot.agent);
  snapshot.loop = loop_.stats();
  return snapshot;
}

void Agent::add_collectors(AgentSnapshot& agent) {
  CollectorSnapshot process{"process", true, 0}, io{"io", true, 0};
  std::uint64_t errors = 0;
  for (const auto& backend : backends_) {
    const auto& seen = backend->sampler().last();
    process.duration_seconds += to_seconds(backend->sampler().cost());
    process.success = process.success && !seen.truncated;
    io.success = io.success && seen.io_readable;
    errors += seen.read_errors;
  }
  agent.collectors = {process, io};
  agent.collect_errors = {{"process", errors}};
}

}  // namespace codex
