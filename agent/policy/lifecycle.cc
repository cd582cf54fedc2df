#include "agent/policy/lifecycle.h"

#include <algorithm>

namespace codex {

namespace {

/// After SIGKILL, how long until we look and kill again; a process in D state may take for ever.
constexpr Duration kKillAgain = std::chrono::seconds(1);
constexpr Duration kHeldAgain = std::chrono::seconds(1);

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

Lifecycle::Lifecycle(const LifecycleConfig& config, std::uint64_t jitter_seed)
    : config_(config), budget_(config.restart, jitter_seed) {}

std::vector<Action> Lifecycle::on(const Event& event, TimePoint now) {
  // The agent's own wish for a restart is about what runs; it never overrules an operator or a way already
  // taken.
  const bool automatic = event.type == EventType::kRestart && event.cause != Cause::kRestartCommand;
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
  awaiting_ = Await::kNone;
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
    case EventType::kUnblocked:
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
      restart_cause_ = event.cause;
      return stop_tree(Goal::kSpawn, event.cause, now);
    case EventType::kReady:
      enter(State::kRunning, Cause::kReady);
      running_since_ = now;
      commanded_ = retrying_ = false;
      return {disarm()};
    case EventType::kPortTaken:
      if (!commanded_) {
        restart_cause_ = Cause::kPortTaken;
        return wait_for(Await::kPort, Cause::kPortTaken, now);
      }
      // Refused: the operator was told why, and nothing is to happen behind their back later.
      desired_running_ = false;
      return rest(Goal::kFail, Cause::kPortTaken, now);
    case EventType::kSpawnFailed:
      if (event.shortage) {
        restart_cause_ = Cause::kExecError;
        backoff_delay_ = budget_.on_shortage();
        return rest(Goal::kBackoff, Cause::kExecError, now);
      }
      if (event.transient && !retrying_) {
        restart_cause_ = Cause::kExecError;
        const auto verdict = budget_.on_failure(Duration{0}, now);
        backoff_delay_ = verdict.delay;
        return rest(verdict.allowed ? Goal::kBackoff : Goal::kFail, Cause::kExecError, now);
      }
      return wait_for(Await::kChange, Cause::kExecError, now);
    case EventType::kExited:
      return exited(event, Duration{0}, now);
    case EventType::kTimer:
      if (event.held || held_) {
        held_ = event.held;
        return {arm(now + (held_ ? kHeldAgain : config_.start_timeout))};
      }
      if (commanded_) {
        restart_cause_ = Cause::kStartTimeout;
        return stop_tree(Goal::kFail, Cause::kStartTimeout, now);
      }
      return recover(Cause::kStartTimeout, Duration{0}, now);
    case EventType::kTreeEmpty:
    case EventType::kUnblocked:
      return {};
  }
  return {};
}

Lifecycle::Actions Lifecycle::in_running(const Event& event, TimePoint now) {
  switch (event.type) {
    case EventType::kStop:
      return stop_tree(Goal::kStop, Cause::kStopCommand, now);
    case EventType::kRestart:
      if (event.cause != Cause::kRestartCommand) return recover(event.cause, now - running_since_, now);
      commanded_ = true;
      budget_.reset();
      restart_cause_ = event.cause;
      return stop_tree(Goal::kSpawn, event.cause, now);
    case EventType::kExited:
      return exited(event, now - running_since_, now);
    case EventType::kStart:
    case EventType::kReady:
    case EventType::kPortTaken:
    case EventType::kSpawnFailed:
    case EventType::kTreeEmpty:
    case EventType::kTimer:
    case EventType::kUnblocked:
      return {};
  }
  return {};
}

Lifecycle::Actions Lifecycle::in_stopping(const Event& event, TimePoint now) {
  switch (event.type) {
    case EventType::kTreeEmpty:
      return rest(goal_, cause_, now);
    case EventType::kTimer:
      return {arm(now + kKillAgain), {ActionType::kKillTree, {}, {}}};
    case EventType::kStop:
      desired_running_ = false;
      goal_ = Goal::kStop;
      cause_ = Cause::kStopCommand;
      restart_cause_.reset();
      return {};
    case EventType::kStart:
    case EventType::kRestart:
      if (event.type == EventType::kRestart) restart_cause_ = event.cause;
      desired_running_ = commanded_ = true;
      retrying_ = false;
      budget_.reset();
      goal_ = Goal::kSpawn;
      cause_ = event.type == EventType::kRestart ? event.cause : Cause::kStartCommand;
      return {};
    case EventType::kReady:
    case EventType::kPortTaken:
    case EventType::kSpawnFailed:
    case EventType::kExited:
    case EventType::kUnblocked:
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
    case EventType::kUnblocked:
      return unblocked(event, now);
    case EventType::kReady:
    case EventType::kPortTaken:
    case EventType::kSpawnFailed:
    case EventType::kExited:
    case EventType::kTreeEmpty:
      return {};
  }
  return {};
}

Lifecycle::Actions Lifecycle::unblocked(const Event& event, TimePoint now) {
  if (awaiting_ == Await::kNone) return {};
  if (now >= not_before_) {
    return event.leftovers ? stop_tree(Goal::kSpawn, cause_, now) : spawn(cause_, now);
  }
  enter(State::kBackoff, cause_);
  backoff_delay_ = not_before_ - now;
  next_attempt_ = not_before_;
  return {arm(not_before_)};
}

Lifecycle::Actions Lifecycle::command_start(const Event& event, TimePoint now) {
  desired_running_ = true;
  commanded_ = !event.resumed;
  retrying_ = false;
  if (!event.resumed) budget_.reset();
  const bool restart = event.type == EventType::kRestart;
  const Cause cause = restart ? event.cause : Cause::kStartCommand;
  // A restart of something that is not running is a plain start, for the counters too.
  restart_cause_.reset();
  if (event.adoptable && !restart) return spawn(Cause::kAdopted, now, ActionType::kAdopt);
  return event.leftovers ? stop_tree(Goal::kSpawn, cause, now) : spawn(cause, now);
}

Lifecycle::Actions Lifecycle::spawn(Cause cause, TimePoint now, ActionType how) {
  enter(State::kStarting, cause);
  held_ = false;
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

Lifecycle::Actions Lifecycle::exited(const Event& event, Duration uptime, TimePoint now) {
  const RestartPolicy policy = config_.restart.policy;
  if (event.cause == Cause::kExit && policy == RestartPolicy::kOnFailure)
    return stop_tree(Goal::kStop, Cause::kExit, now);
  if (event.await == Await::kNone || policy == RestartPolicy::kNever)
    return recover(event.cause, uptime, now);
  if (event.await == Await::kPort && commanded_) {
    desired_running_ = false;  // As when the port is found taken before the spawn.
    return stop_tree(Goal::kFail, Cause::kPortTaken, now);
  }
  restart_cause_ = event.cause;
  const auto verdict = budget_.on_failure(uptime, now);
  // Who edits a file again and again is no crash loop; what is said to be there and is not, may be one.
  if (!verdict.allowed && event.await != Await::kChange)
    return stop_tree(Goal::kFail, Cause::kStartLimit, now);
  auto actions = stop_tree(Goal::kAwait, event.cause, now);
  await_next_ = event.await;
  backoff_delay_ = verdict.delay;
  return actions;
}

/// Nothing runs; the next start waits for `await`, or for the slow retry where that may help as well.
Lifecycle::Actions Lifecycle::wait_for(Await await, Cause cause, TimePoint now) {
  const Duration delay = backoff_delay_;
  commanded_ = retrying_ = false;
  enter(await == Await::kChange ? State::kFailed : State::kBackoff, cause);
  awaiting_ = await;
  not_before_ = now + delay;
  // What the end was laid to may be mistaken: none of these waits is for ever.
  if (config_.restart.retry_interval <= Duration{0} || config_.restart.policy == RestartPolicy::kNever) {
    return {disarm()};
  }
  next_attempt_ = now + std::max(delay, config_.restart.retry_interval);
  return {arm(*next_attempt_)};
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
    case Goal::kAwait:
      return wait_for(await_next_, cause, now);
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
