#include "agent/supervision/backend.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "agent/supervision/describe.h"
#include "agent/supervision/log_line.h"
#include "agent/supervision/pid_file.h"

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kSamplePeriod = seconds(1);

/// How often a starting backend's port is looked at: a look costs some 20 us, and a fast start should not
/// wait.
Duration listen_period(Duration waited) {
  if (waited < seconds(2)) return milliseconds(5);
  if (waited < seconds(10)) return milliseconds(20);
  return milliseconds(100);
}

std::vector<StartupPhase> needed_phases(const BackendConfig& config) {
  std::vector<StartupPhase> phases{StartupPhase::kSpawn};
  const auto any = [&](auto predicate) {
    return std::any_of(config.probes.begin(), config.probes.end(), predicate);
  };
  if (config.port) phases.push_back(StartupPhase::kListen);
  if (any([](const ProbeSpec& spec) { return spec.kind == ProbeKind::kDatabase; })) {
    phases.push_back(StartupPhase::kDatabase);
  }
  if (any([](const ProbeSpec& spec) { return spec.kind != ProbeKind::kDatabase; })) {
    phases.push_back(StartupPhase::kRespond);
  }
  return phases;
}

std::vector<std::pair<std::string, double>> seconds_of(const Startup& startup) {
  std::vector<std::pair<std::string, double>> phases;
  for (const auto& [phase, took] : startup.phases()) phases.emplace_back(to_string(phase), to_seconds(took));
  return phases;
}

}  // namespace

Backend::Backend(const BackendConfig& config, BackendServices services, std::function<void()> changed)
    : config_(config),
      services_(services),
      changed_(std::move(changed)),
      lifecycle_({config.start_timeout, config.stop_timeout, config.restart},
                 std::hash<std::string>{}(services.agent_id + config.name)),
      tree_(services.loop, services.agent_id + "/" + config.name + "/", services.use_cgroup,
            {[this] {
               if (startup_) startup_->set(StartupPhase::kSpawn, true, Clock::now());
               sample();
               follow_startup();
             },
             [this](const SpawnError& error) {
               problem_ = "Server could not be started: " + error.message;
               handle({EventType::kSpawnFailed, {}, {}, error.stage == "fork"});
             },
             [this](const ExitStatus& status) { exited(status); }}),
      stopper_(services.loop, tree_, services.sock_diag, config.port,
               {[this] { handle({EventType::kTreeEmpty}); },
                [this](const std::string& signal) { record_.stop_signal(signal); }}),
      output_file_(services.disk, config.output_file, config.output_max_bytes, config.output_keep),
      output_(services.loop, services.redactor, output_file_, services.state_directory, config.name),
      sampler_(config.collect_pss),
      prober_(
          config.probes,
          ProbeContext{services.loop, services.resolver, services.sock_diag, services.redactor, services.curl,
                       [this](const Listener& listener) {
                         return port_ ? port_->holder_of(listener) : ListenerHolder{};
                       }},
          [this](std::size_t) {
            follow_startup();
            follow_health();
          }),
      state_timer_(
          services.loop, "state", [this] { handle({EventType::kTimer}); }, Priority::kUrgent),
      listen_timer_(services.loop, "listen", [this] { follow_startup(); }),
      sample_timer_(
          services.loop, "sample", [this] { sample(); }, Priority::kNormal, milliseconds(20)) {
  if (config_.port) port_.emplace(*config_.port, services_.sock_diag, tree_, services_.redactor);
  if (tree_.find_leftovers()) {
    services_.log.warning(LogLine("leftovers_found")
                              .kv("backend", config_.name)
                              .kv("why", "an earlier agent ended without stopping it")
                              .str());
    sample_timer_.arm_after(Duration{0});
  }
}

void Backend::start() {
  services_.log.info(LogLine("start_requested").kv("backend", config_.name).str());
  Event event{EventType::kStart};
  event.leftovers = !tree_.members().empty();
  event.adoptable = tree_.adoptable().has_value();
  handle(event);
}

void Backend::stop() {
  services_.log.info(LogLine("stop_requested").kv("backend", config_.name).str());
  Event event{EventType::kStop};
  event.leftovers = !tree_.members().empty();
  handle(event);
}

void Backend::restart() {
  services_.log.info(LogLine("restart_requested").kv("backend", config_.name).str());
  Event event{EventType::kRestart, {}, Cause::kRestartCommand};
  event.leftovers = !tree_.members().empty();
  handle(event);
}

bool Backend::on_reaped(pid_t pid, const ExitStatus& status, const rusage& usage) {
  if (!tree_.on_reaped(pid, status)) return false;
  sampler_.add_reaped(usage);
  stopper_.check();
  return true;
}

void Backend::handle(Event event) {
  queue_.push_back(event);
  if (handling_) return;  // An action's own events wait until the action's step is complete.
  handling_ = true;
  while (!queue_.empty()) {
    const Event next = queue_.front();
    queue_.pop_front();
    const State before = lifecycle_.state();
    const auto actions = lifecycle_.on(next, services_.loop.now());
    try {
      if (lifecycle_.state() != before) entered(before);
      for (const auto& action : actions) carry_out(action);
    } catch (const std::exception& e) {
      services_.log.error(LogLine("action_failed")
                              .kv("backend", config_.name)
                              .kv("error", services_.redactor.safe(e.what()))
                              .str());
    }
  }
  handling_ = false;
  changed_();
}

void Backend::carry_out(const Action& action) {
  switch (action.type) {
    case ActionType::kSpawn:
      return spawn();
    case ActionType::kAdopt:
      return adopt();
    case ActionType::kStopTree:
      return stopper_.stop(config_.stop_signal);
    case ActionType::kKillTree:
      if (const auto obstacle = stopper_.killing() ? stopper_.obstacle() : ""; !obstacle.empty())
        problem_ = obstacle;
      services_.log.warning(LogLine("stop_timeout")
                                .kv("backend", config_.name)
                                .kv("action", "SIGKILL")
                                .kv("obstacle", problem_)
                                .str());
      return stopper_.kill();
    case ActionType::kArmTimer:
      return state_timer_.arm_at(action.at);
    case ActionType::kDisarmTimer:
      return state_timer_.disarm();
    case ActionType::kCountRestart:
      return record_.restarted(action.cause);
  }
}

void Backend::spawn() {
  if (port_) {
    if (auto stranger = port_->describe_stranger()) {
      problem_ = std::move(*stranger);
      handle({EventType::kPortTaken});
      return;
    }
  }
  if (!tree_.members().empty())
    throw std::logic_error("spawn although processes of the last generation live");
  const UniqueFd out = output_.open_for_child(0), err = output_.open_for_child(1);
  SpawnRequest request{config_.command, config_.directory, config_.environment, out.get(), err.get(), -1};
  const TimePoint now = Clock::now();
  startup_.emplace(now, needed_phases(config_));
  try {
    tree_.spawn(std::move(request), ++generation_);
  } catch (const SpawnError& error) {
    problem_ = "Server could not be started: " + error.message;
    handle({EventType::kSpawnFailed, {}, {}, error.stage == "fork"});
    return;
  }
  problem_.clear();
  adopted_ = false;
  record_.started();
  started_at_ = std::chrono::system_clock::now();
  prober_.begin_generation();
  arm_listen_timer();
  write_pid_file(services_.disk, config_.pid_file, tree_.leader());
  services_.log.info(LogLine("spawned")
                         .kv("backend", config_.name)
                         .kv("pid", tree_.leader().value_or(0))
                         .kv("generation", generation_)
                         .str());
}

void Backend::adopt() {
  const auto leftover = tree_.adoptable();
  if (!leftover || !tree_.adopt(*leftover)) {  // It ended a moment ago.
    handle({EventType::kExited, ExitStatus{false, 0, 0, false}});
    return;
  }
  problem_.clear();
  generation_ = leftover->generation;
  adopted_ = true;
  started_at_ = wall_time_of(leftover->leader.start_ticks);
  startup_.emplace(Clock::now(), needed_phases(config_));
  startup_->set(StartupPhase::kSpawn, true, Clock::now());
  prober_.begin_generation();
  write_pid_file(services_.disk, config_.pid_file, leftover->leader.pid);
  sample();
  services_.log.info(LogLine("adopted")
                         .kv("backend", config_.name)
                         .kv("pid", leftover->leader.pid)
                         .kv("generation", generation_)
                         .str());
  follow_startup();
}

void Backend::arm_listen_timer() {
  listen_timer_.arm_after(listen_period(std::chrono::system_clock::now() - started_at_.value_or(WallTime{})));
}

void Backend::follow_startup() {
  if (!startup_ || lifecycle_.state() != State::kStarting) return;
  const TimePoint now = Clock::now();
  if (port_ && startup_->waiting_for() <= StartupPhase::kListen) {
    startup_->set(StartupPhase::kListen, port_->look().ours, now);
    if (!port_->last().ours) arm_listen_timer();
  }
  if (!port_ || port_->last().ours) prober_.begin_readiness();

  bool database = true, respond = true;
  for (const auto& tracker : prober_.trackers()) {
    (tracker.spec().kind == ProbeKind::kDatabase ? database : respond) &= tracker.succeeding();
  }
  startup_->set(StartupPhase::kDatabase, database, now);
  startup_->set(StartupPhase::kRespond, respond, now);
  if (startup_->complete()) handle({EventType::kReady});
  changed_();
}

void Backend::follow_health() {
  if (lifecycle_.state() != State::kRunning) return;
  health_ = judge_health(prober_.trackers());
  if (health_.health == Health::kHealthy && port_ && !port_->last().ours) {
    // Seen without a probe, and not yet a reason to restart: nodemon may just be reloading.
    health_ = {Health::kDegraded, "port: refused",
               "nothing of ours listens on port " + std::to_string(*config_.port), false};
  }
  if (health_.health != Health::kHealthy) record_.trouble(services_.loop.now());
  if (health_.health == Health::kHealthy) record_.recovered(services_.loop.now());
  publish_state(health_.reason.empty() ? "recovered" : health_.reason, health_.detail);
  if (health_.restart) {
    problem_ = health_.reason + ": " + health_.detail;
    handle({EventType::kRestart, {}, Cause::kProbeFailure});
  }
  changed_();
}

void Backend::exited(const ExitStatus& status) {
  output_.drain();
  record_.exited(status, std::chrono::system_clock::now());
  services_.log.info(LogLine("exited")
                         .kv("backend", config_.name)
                         .kv("generation", generation_)
                         .kv("how", record_.describe_last_exit())
                         .str());
  if (lifecycle_.state() == State::kStarting || lifecycle_.state() == State::kRunning) {
    record_.trouble(services_.loop.now());
    problem_ = "Server process died unexpectedly: " + record_.describe_last_exit() + ".";
  }
  handle({EventType::kExited, status});
}

/// Follow-up of a change of state, before its actions are carried out.
void Backend::entered(State before) {
  const State state = lifecycle_.state();
  if (before == State::kStarting && state != State::kRunning) start_ended_early();
  if (before == State::kStarting || before == State::kRunning) {
    listen_timer_.disarm();
    if (state != State::kRunning) prober_.stop();
  }
  health_ = {};
  std::string detail = state == State::kStarting ? "" : problem_;
  switch (state) {
    case State::kRunning: {
      if (!adopted_) record_.startup_completed(seconds_of(*startup_), to_seconds(startup_->elapsed()));
      record_.recovered(services_.loop.now());
      startup_.reset();
      running_since_ = services_.loop.now();
      if (adopted_) running_since_ -= std::chrono::system_clock::now() - *started_at_;
      problem_.clear();
      prober_.begin_running();
      detail = summary();
      break;
    }
    case State::kFailed:
      if (lifecycle_.cause() == Cause::kStartLimit) {
        problem_ += " It was restarted " + std::to_string(config_.restart.start_limit) +
                    " times without success; see codex-agent logs.";
        detail = problem_;
      }
      rest();
      break;
    case State::kStopped:
      problem_.clear();
      record_.no_trouble();
      rest();
      break;
    case State::kBackoff:
      rest();
      break;
    case State::kStarting:
    case State::kStopping:
      break;
  }
  publish_state(to_string(lifecycle_.cause()), detail);
  if (state == State::kRunning) sample();
}

/// Nothing runs any more.
void Backend::rest() {
  output_.drain();
  startup_.reset();
  started_at_.reset();
  write_pid_file(services_.disk, config_.pid_file, std::nullopt);
  sample();
}

void Backend::start_ended_early() {
  switch (lifecycle_.cause()) {
    case Cause::kPortTaken:
      return;  // nothing was started
    case Cause::kExecError:
      return record_.start_failed("exec_error");
    case Cause::kStopCommand:
    case Cause::kRestartCommand:
      return record_.start_failed("aborted");
    case Cause::kStartTimeout:
      break;
    default:
      return record_.start_failed("early_exit");
  }
  record_.start_failed("ready_timeout");
  record_.trouble(services_.loop.now());
  problem_ = describe_start_timeout(config_, startup_ ? startup_->waiting_for() : std::nullopt,
                                    prober_.trackers(), port_ ? &port_->last() : nullptr);
}

void Backend::publish_state(std::string_view reason, std::string detail) {
  const bool degraded = lifecycle_.state() == State::kRunning && health_.health == Health::kDegraded;
  const std::string_view state = degraded ? "degraded" : to_string(lifecycle_.state());
  if (state == record_.state()) return;
  const auto& change =
      record_.entered(state, reason, services_.redactor.safe(detail, 512), std::chrono::system_clock::now());
  services_.events.append(
      {0, change.at, config_.name, "state_changed", change.from, change.to, change.reason, change.detail});
  LogLine line("state_changed");
  line.kv("backend", config_.name).kv("from", change.from).kv("to", change.to).kv("reason", change.reason);
  if (!change.detail.empty()) line.kv("detail", change.detail);
  const bool bad = state == "failed" || state == "backoff" || state == "degraded";
  bad ? services_.log.warning(line.str()) : services_.log.info(line.str());
}

void Backend::sample() {
  const bool alive = sampler_.sample(tree_);
  if (port_) port_->look();
  if (alive) sample_timer_.arm_after(kSamplePeriod);
  follow_health();
  changed_();
}

}  // namespace codex
