#include <algorithm>
#include <utility>

#include "agent/config_files/values.h"
#include "agent/process/pid_file.h"
#include "agent/record/log_line.h"
#include "agent/supervision/backend.h"
#include "agent/supervision/describe.h"

/// How a backend's start and health are followed, and how its changes of state are told.

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kSamplePeriod = seconds(1);
constexpr Duration kResumeTakes = seconds(1);

/// How often a starting backend's port is looked at: a look costs some 20 us, and a fast start should not
/// wait.
Duration listen_period(Duration waited) {
  if (waited < seconds(2)) return milliseconds(5);
  if (waited < seconds(10)) return milliseconds(20);
  return milliseconds(100);
}

std::vector<std::pair<std::string, double>> seconds_of(const Startup& startup) {
  std::vector<std::pair<std::string, double>> phases;
  for (const auto& [phase, took] : startup.phases()) phases.emplace_back(to_string(phase), to_seconds(took));
  return phases;
}

}  // namespace

void Backend::arm_listen_timer() {
  listen_timer_.arm_after(listen_period(Clock::now() - begun_at_));
}

void Backend::follow_startup() {
  if (!startup_ || lifecycle_.state() != State::kStarting) return;
  const TimePoint now = Clock::now();
  if (port_ && startup_->waiting_for() <= StartupPhase::kListen) {
    arm_listen_timer();
    if (!look_at_port()) return;
    startup_->set(StartupPhase::kListen, port_->last().ours, now);
    if (port_->last().ours) listen_timer_.disarm();
    follow_server();
  }
  if (resumed_ready_ && !listen_timer_.armed()) listen_timer_.arm_at(begun_at_ + kResumeTakes);
  if (!port_ || port_->last().ours) prober_.begin_readiness();

  bool database = true, respond = true;
  for (const auto& tracker : prober_.trackers()) {
    (tracker.spec().kind == ProbeKind::kDatabase ? database : respond) &= tracker.succeeding();
  }
  startup_->set(StartupPhase::kDatabase, database, now);
  startup_->set(StartupPhase::kRespond, respond, now);
  if (startup_->complete() || has_resumed()) handle({EventType::kReady});
  changed_();
}

/// What was ready when it was taken over is judged as running, also while its database is down: as soon as
/// each probe has made up its mind, which gives a good backend its usual facts at once, and soon in any case.
bool Backend::has_resumed() const {
  if (!resumed_ready_) return false;
  const auto& probes = prober_.trackers();
  return Clock::now() - begun_at_ >= kResumeTakes ||
         std::all_of(probes.begin(), probes.end(),
                     [](const ProbeTracker& probe) { return probe.succeeding() || probe.failing(); });
}

void Backend::follow_health() {
  if (lifecycle_.state() != State::kRunning) return;
  health_ = judge_health(prober_.trackers());
  if (!idle_wrapper_.empty()) {
    // Its probes fail for a known reason; what is done about it has been decided there.
    health_ = {Health::kDegraded, "wrapper_idle", idle_wrapper_, false};
  } else if (wrapper_.undecided(services_.loop.now())) {
    health_.restart = false;
  }
  consider_hang();
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
    handle({EventType::kRestart, Cause::kProbeFailure});
  } else if (reconnect_.due(database_fails(prober_.trackers()), others_succeed(prober_.trackers()),
                            services_.loop.now())) {
    problem_ = "The database is back, but the server has not become healthy within " +
               format_duration(config_.restart.reconnect_timeout) + ": " + health_.reason;
    handle({EventType::kRestart, Cause::kDependency});
  }
  changed_();
}

/// Follow-up of a change of state, before its actions are carried out.
void Backend::entered(State before) {
  const State state = lifecycle_.state();
  if (before == State::kStarting && state != State::kRunning) start_ended_early();
  if (before == State::kStarting || before == State::kRunning) {
    listen_timer_.disarm();
    adopt_timer_.disarm();
    if (state != State::kRunning) {
      prober_.stop();
      hang_watch_.stop();
    }
  }
  health_ = {};
  if (before == State::kBackoff || before == State::kFailed) {
    await_timer_.disarm();
    change_.stop();
    prober_.stop();
  }
  std::string detail = state == State::kStarting ? "" : problem_;
  switch (state) {
    case State::kRunning: {
      if (!adopted_) record_.startup_completed(seconds_of(*startup_), to_seconds(startup_->elapsed()));
      record_.recovered(services_.loop.now());
      startup_.reset();
      served_ = true;
      if (resumed_ready_) prober_.forgive_all();  // They were asked in a hurry.
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
  if (lifecycle_.awaiting() != Await::kNone) await();
  publish_state(to_string(lifecycle_.cause()), detail);
  if (state != State::kRunning) return;
  hang_watch_.start_is_over();
  sample();
}

/// Nothing runs any more.
void Backend::rest() {
  output_.drain();
  told_to_end_ = false;
  server_.follow(std::nullopt);
  startup_.reset();
  started_at_.reset();
  if (pid_written_) remove_pid_file(services_.disk, config_.pid_file, *pid_written_);
  pid_written_.reset();
  sample();
}

void Backend::announce_pid() {
  pid_written_ = tree_.leader();
  if (pid_written_) write_pid_file(services_.disk, config_.pid_file, *pid_written_);
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
  const auto phase = startup_ ? startup_->waiting_for() : std::nullopt;
  const std::string absence = port_ && phase == StartupPhase::kListen ? port_->describe_absence() : "";
  problem_ =
      describe_start_timeout(config_, phase, prober_.trackers(), absence, hang_ ? last_hang_->detail : "");
}

void Backend::publish_state(std::string_view reason, std::string detail) {
  const bool ill = lifecycle_.state() == State::kRunning && health_.health != Health::kHealthy;
  const std::string_view state = ill ? to_string(health_.health) : to_string(lifecycle_.state());
  if (state == record_.state()) return;
  const auto& change =
      record_.entered(state, reason, services_.redactor.safe(detail, 512), std::chrono::system_clock::now());
  recent_.entered(state, reason, services_.loop.now());
  services_.events.append(
      {0, change.at, config_.name, "state_changed", change.from, change.to, change.reason, change.detail});
  LogLine line("state_changed");
  line.kv("backend", config_.name).kv("from", change.from).kv("to", change.to).kv("reason", change.reason);
  if (!change.detail.empty()) line.kv("detail", change.detail);
  const bool bad = state == "failed" || state == "backoff" || state == "degraded" || state == "hung";
  bad ? services_.log.warning(line.str()) : services_.log.info(line.str());
}

void Backend::sample() {
  sample_timer_.arm_after(kSamplePeriod);
  bool alive = true;  // for all that is known
  const bool sampled = look("usage", [&] { alive = sampler_.sample(tree_); });
  // Should the hang watch have failed when the server began to listen.
  if (look_at_port() && lifecycle_.state() == State::kStarting) follow_server();
  if (!alive) sample_timer_.disarm();
  if (alive && sampled)
    recent_.used(static_cast<double>(sampler_.last().resident_bytes), sampler_.cpu_ratio(),
                 services_.loop.now());
  look("application", [this] { look_for_idle_wrapper(); });
  look("memory", [this] { watch_memory(); });
  follow_health();
  changed_();
}

}  // namespace codex
