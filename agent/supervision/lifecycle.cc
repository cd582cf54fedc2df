#include "agent/supervision/lifecycle.h"

namespace codex {

namespace {

/// After SIGKILL, how long until we look and kill again; a process in D state may take for ever.
constexpr Duration kKillAgain = std::chrono::seconds(1);

Action disarm() {
  return {ActionType::kDisarmTimer, {}, {}};
}
Action arm(TimePoint at) {
  return {ActionType::kArmTimer, at, {}};
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::kStopped:
      return "stopped";
    case State::kStarting:
      return "starting";
    case State::kRunning:
      return "running";
    case State::kStopping:
      return "stopping";
    case State::kBackoff:
      return "backoff";
    case State::kFailed:
      return "failed";
  }
  return "";
}

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::kStartCommand:
      return "start_command";
    case Cause::kStopCommand:
      return "stop_command";
    case Cause::kRestartCommand:
      return "restart_command";
    case Cause::kAdopted:
      return "adopted";
    case Cause::kReady:
      return "ready";
    case Cause::kExit:
      return "exit";
    case Cause::kCrash:
      return "crash";
    case Cause::kStartTimeout:
      return "start_timeout";
    case Cause::kPortTaken:
      return "port_taken";
    case Cause::kExecError:
      return "exec_error";
    case Cause::kProbeFailure:
      return "probe_failure";
    case Cause::kHang:
      return "hang";
    case Cause::kMemoryLimit:
      return "memory_limit";
    case Cause::kDependency:
      return "dependency";
    case Cause::kRetry:
      return "retry";
    case Cause::kStartLimit:
      return "start_limit";
  }
  return "";
}

Lifecycle::Lifecycle(const LifecycleConfig& config, std::uint64_t jitter_seed)
    : config_(config), budget_(config.restart, jitter_seed) {}

std::vector<Action> Lifecycle::on(const Event& event, TimePoint now) {
  // The agent's own wish for a restart is about what runs; it never overrules an operator or a way already
  // taken.
  const bool automatic = event.type == EventType::kRestart && event.reason != Cause::kRestartCommand;
  if (automatic && state_ != State::kRunning) return {};
  switch (state_) {
    case State::kStopped:
      return in_stopped(event, now);
    case State::kStarting:
      return in_starting(event, now);
    case State::kRunning:
      return in_running(event, now);
    case State::kStopping:
      return in_stopping(event, now);
    case State::kBackoff:
    case State::kFailed:
      return in_waiting(event, now);
  }
  return {};
}

void Lifecycle::enter(State state, Cause cause) {
  state_ = state;
  cause_ = cause;
  killing_ = false;
  next_attempt_.reset();
  backoff_delay_ = Duration{0};
}

Lifecycle::Actions Lifecycle::in_stopped(const Event& event, TimePoint now) {
  switch (event.type) {
    case EventType::kStart:
    case EventType::kRestart:
      return command_start(event, now);
    case EventType::kStop:
      return event.leftovers ? stop_tree(Goal::kStop, Cause::kStopCommand, now) : Actions{};
    case EventType::kReady:
    case EventType::kPortTaken:
    case EventType::kSpawnFailed:
    case EventType::kExited:
    case EventType::kTreeEmpty:
    case EventType::kTimer:
      return {};
  }
  return {};
}

Lifecycle::Actions Lifecycle::in_starting(const Event& event, TimePoint now) {
  switch (event.type) {
    case EventType::kStart:
      commanded_ = true;
      return {};
    case EventType::kStop:
      return stop_tree(Goal::kStop, Cause::kStopCommand, now);
    case EventType::kRestart:
      commanded_ = true;
      restart_cause_ = event.reason;
      return stop_tree(Goal::kSpawn, event.reason, now);
    case EventType::kReady:
      enter(State::kRunning, Cause::kReady);
      running_since_ = now;
      commanded_ = retrying_ = false;
      return {disarm()};
    case EventType::kPortTaken:
      // Refused: the operator was told why, and nothing is to happen behind their back later.
      if (commanded_) desired_running_ = false;
      return rest(Goal::kFail, Cause::kPortTaken, now);
    case EventType::kSpawnFailed:
      if (event.transient && !retrying_) {
        restart_cause_ = Cause::kExecError;
        const auto verdict = budget_.on_failure(Duration{0}, now);
        backoff_delay_ = verdict.delay;
        return rest(verdict.allowed ? Goal::kBackoff : Goal::kFail, Cause::kExecError, now);
      }
      return rest(Goal::kFail, Cause::kExecError, now);
    case EventType::kExited:
      return exited(event.exit, Duration{0}, now);
    case EventType::kTimer:
      if (commanded_) {
        restart_cause_ = Cause::kStartTimeout;
        return stop_tree(Goal::kFail, Cause::kStartTimeout, now);
      }
      return recover(Cause::kStartTimeout, Duration{0}, now);
    case EventType::kTreeEmpty:
      return {};
  }
  return {};
}

Lifecycle::Actions Lifecycle::in_running(const Event& event, TimePoint now) {
  switch (event.type) {
    case EventType::kStop:
      return stop_tree(Goal::kStop, Cause::kStopCommand, now);
    case EventType::kRestart:
      if (event.reason != Cause::kRestartCommand) return recover(event.reason, now - running_since_, now);
      commanded_ = true;
      budget_.reset();
      restart_cause_ = event.reason;
      return stop_tree(Goal::kSpawn, event.reason, now);
    case EventType::kExited:
      return exited(event.exit, now - running_since_, now);
    case EventType::kStart:
    case EventType::kReady:
    case EventType::kPortTaken:
    case EventType::kSpawnFailed:
    case EventType::kTreeEmpty:
    case EventType::kTimer:
      return {};
  }
  return {};
}

Lifecycle::Actions Lifecycle::in_stopping(const Event& event, TimePoint now) {
  switch (event.type) {
    case EventType::kTreeEmpty:
      return rest(goal_, cause_, now);
    case EventType::kTimer:
      killing_ = true;
      return {arm(now + kKillAgain), {ActionType::kKillTree, {}, {}}};
    case EventType::kStop:
      desired_running_ = false;
      goal_ = Goal::kStop;
      cause_ = Cause::kStopCommand;
      restart_cause_.reset();
      return {};
    case EventType::kStart:
    case EventType::kRestart:
      if (event.type == EventType::kRestart) restart_cause_ = event.reason;
      desired_running_ = commanded_ = true;
      retrying_ = false;
      budget_.reset();
      goal_ = Goal::kSpawn;
      cause_ = event.type == EventType::kRestart ? event.reason : Cause::kStartCommand;
      return {};
    case EventType::kReady:
    case EventType::kPortTaken:
    case EventType::kSpawnFailed:
    case EventType::kExited:
      return {};
  }
  return {};
}

Lifecycle::Actions Lifecycle::in_waiting(const Event& event, TimePoint now) {
  switch (event.type) {
    case EventType::kTimer:
      retrying_ = state_ == State::kFailed;
      if (event.leftovers) return stop_tree(Goal::kSpawn, cause_, now);
      return spawn(retrying_ ? Cause::kRetry : cause_, now);
    case EventType::kStop:
      if (event.leftovers) return stop_tree(Goal::kStop, Cause::kStopCommand, now);
      desired_running_ = false;
      restart_cause_.reset();
      enter(State::kStopped, Cause::kStopCommand);
      return {disarm()};
    case EventType::kStart:
    case EventType::kRestart:
      return command_start(event, now);
    case EventType::kReady:
    case EventType::kPortTaken:
    case EventType::kSpawnFailed:
    case EventType::kExited:
    case EventType::kTreeEmpty:
      return {};
  }
  return {};
}

Lifecycle::Actions Lifecycle::command_start(const Event& event, TimePoint now) {
  desired_running_ = commanded_ = true;
  retrying_ = false;
  budget_.reset();
  const bool restart = event.type == EventType::kRestart;
  const Cause cause = restart ? event.reason : Cause::kStartCommand;
  // A restart of something that is not running is a plain start, for the counters too.
  restart_cause_.reset();
  if (event.adoptable && !restart) return spawn(Cause::kAdopted, now, ActionType::kAdopt);
  return event.leftovers ? stop_tree(Goal::kSpawn, cause, now) : spawn(cause, now);
}

Lifecycle::Actions Lifecycle::spawn(Cause cause, TimePoint now, ActionType how) {
  enter(State::kStarting, cause);
  Actions actions{arm(now + config_.start_timeout)};
  if (restart_cause_) actions.push_back({ActionType::kCountRestart, {}, *restart_cause_});
  restart_cause_.reset();
  actions.push_back({how, {}, {}});
  return actions;
}

Lifecycle::Actions Lifecycle::stop_tree(Goal goal, Cause cause, TimePoint now) {
  enter(State::kStopping, cause);
  goal_ = goal;
  if (goal == Goal::kStop) {
    desired_running_ = false;
    restart_cause_.reset();
  }
  return {arm(now + config_.stop_timeout), {ActionType::kStopTree, {}, {}}};
}

Lifecycle::Actions Lifecycle::recover(Cause cause, Duration uptime, TimePoint now) {
  restart_cause_ = cause;
  if (config_.restart.policy == RestartPolicy::kNever || retrying_) return stop_tree(Goal::kFail, cause, now);
  const auto verdict = budget_.on_failure(uptime, now);
  auto actions = stop_tree(verdict.allowed ? Goal::kBackoff : Goal::kFail,
                           verdict.allowed ? cause : Cause::kStartLimit, now);
  backoff_delay_ = verdict.delay;
  return actions;
}

Lifecycle::Actions Lifecycle::exited(const ExitStatus& exit, Duration uptime, TimePoint now) {
  const bool clean = exit.known && exit.signal == 0 && exit.code == 0;
  if (clean && config_.restart.policy == RestartPolicy::kOnFailure)
    return stop_tree(Goal::kStop, Cause::kExit, now);
  return recover(clean ? Cause::kExit : Cause::kCrash, uptime, now);
}

Lifecycle::Actions Lifecycle::rest(Goal goal, Cause cause, TimePoint now) {
  const Duration delay = backoff_delay_;
  switch (goal) {
    case Goal::kStop:
      enter(State::kStopped, cause);
      return {disarm()};
    case Goal::kSpawn:
      return spawn(cause, now);
    case Goal::kBackoff:
      if (delay == Duration{0}) return spawn(cause, now);
      enter(State::kBackoff, cause);
      backoff_delay_ = delay;
      next_attempt_ = now + delay;
      return {arm(*next_attempt_)};
    case Goal::kFail:
      commanded_ = retrying_ = false;
      enter(State::kFailed, cause);
      if (!desired_running_ || config_.restart.policy == RestartPolicy::kNever ||
          config_.restart.retry_interval <= Duration{0}) {
        return {disarm()};
      }
      next_attempt_ = now + config_.restart.retry_interval;
      return {arm(*next_attempt_)};
  }
  return {};
}

}  // namespace codex
