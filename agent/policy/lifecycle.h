#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/config/restart_config.h"
#include "agent/os/clock.h"
#include "agent/policy/cause.h"
#include "agent/policy/restart_budget.h"

namespace codex {

/// The life of one backend, as a pure function of events and time: no clock, no I/O, no log.
///
/// | state    | meaning                                | its one timer          | leaves by                      |
/// |----------|----------------------------------------|------------------------|--------------------------------|
/// | stopped  | nothing runs, nothing is wanted        | -                      | start                          |
/// | starting | spawned, not yet ready                 | start timeout          | ready, exited, stop, timer     |
/// | running  | was ready                              | -                      | exited, stop, restart          |
/// | stopping | the tree is brought down, `goal` next  | grace, then kill again | tree_empty, and nothing else   |
/// | backoff  | nothing runs, a start is due           | delay or slow retry    | timer, unblocked, start, stop  |
/// | failed   | nothing runs, patience is used up      | slow retry or none     | timer, unblocked, start, stop  |
///
/// Nothing of generation n lives in stopped, backoff and failed: they are entered from stopping by
/// `tree_empty` only (or from starting, when the spawn left nothing behind). So `spawn` is asked for only
/// when the tree is empty and the port is free, and a stop is final until the next start.
///
/// While a debugger holds a start its timer only runs on, and begins anew when it has let go.
///
/// A start that would only fail again waits for what it lacks (awaiting()): for a file to change in `failed`,
/// for the database or the port in `backoff`.
enum class State { kStopped, kStarting, kRunning, kStopping, kBackoff, kFailed };
std::string_view to_string(State state);

enum class EventType {
  kStart,        ///< an operator wants it running
  kStop,         ///< an operator wants it stopped
  kRestart,      ///< `cause` tells who wants it: an operator or the agent
  kReady,        ///< all conditions of the start are met
  kPortTaken,    ///< the spawn was not done: a stranger holds the port
  kSpawnFailed,  ///< nothing was left behind; `transient` if trying again may help
  kExited,       ///< the leader ended, or the application below a wrapper that lives on
  kTreeEmpty,    ///< no member of the tree lives and the port does not LISTEN
  kTimer,        ///< the state's timer
  kUnblocked,    ///< what awaiting() names has come
};

struct Event {
  EventType type = EventType::kStart;
  Cause cause = Cause::kRestartCommand;  ///< kRestart, kExited, kSpawnFailed
  Await await = Await::kNone;            ///< kExited: without it the next start would end the same way
  bool transient = false;                ///< kSpawnFailed: trying again may help
  bool shortage = false;                 ///< kSpawnFailed: for want of descriptors or memory; does not count
  bool adoptable = false;  ///< kStart: the leftovers have a leader and may be taken over as they are
  bool resumed = false;  ///< kStart: wanted since before this agent, or by its own start; nobody waits for it
  bool held = false;     ///< kTimer: a debugger holds the start
  bool leftovers = false;  ///< commands, kTimer, kUnblocked: members of an earlier life still live
};

enum class ActionType {
  kAdopt,     ///< take the leftovers over as the running generation
  kSpawn,     ///< look at the port, then start the next generation
  kStopTree,  ///< stop signal, leaf first; report kTreeEmpty when it is proven
  kKillTree,  ///< SIGKILL to all that is left
  kArmTimer,  ///< the state's timer, at `at`
  kDisarmTimer,
  kCountRestart,  ///< an automatic or requested restart was decided, for `cause`
};

struct Action {
  ActionType type;
  TimePoint at{};
  Cause cause = Cause::kStartCommand;
};

/// The part of a backend's configuration that its life depends on.
struct LifecycleConfig {
  Duration start_timeout = std::chrono::seconds(60);
  Duration stop_timeout = std::chrono::seconds(2);
  RestartConfig restart;
};

class Lifecycle {
 public:
  Lifecycle(const LifecycleConfig& config, std::uint64_t jitter_seed);

  /// What to do about `event` at `now`, in order. At most one change of state() per call.
  std::vector<Action> on(const Event& event, TimePoint now);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool desired_running() const { return desired_running_; }
  /// Why the present state was entered; for `failed`, why it failed.
  [[nodiscard]] Cause cause() const { return cause_; }
  /// What the pending automatic start waits for besides its delay.
  [[nodiscard]] Await awaiting() const { return awaiting_; }
  /// An operator waits for the start under way: a taken port ends it, and is waited for by nobody.
  [[nodiscard]] bool commanded() const { return commanded_; }
  /// When the pending automatic start is due at the latest (backoff, failed with retry).
  [[nodiscard]] std::optional<TimePoint> next_attempt() const { return next_attempt_; }
  [[nodiscard]] Duration backoff_delay() const { return backoff_delay_; }
  [[nodiscard]] RestartBudget& budget() { return budget_; }
  [[nodiscard]] const RestartBudget& budget() const { return budget_; }

 private:
  enum class Goal { kStop, kSpawn, kBackoff, kAwait, kFail };
  using Actions = std::vector<Action>;

  Actions in_stopped(const Event& event, TimePoint now);
  Actions in_starting(const Event& event, TimePoint now);
  Actions in_running(const Event& event, TimePoint now);
  Actions in_stopping(const Event& event, TimePoint now);
  Actions in_waiting(const Event& event, TimePoint now);  // backoff and failed

  Actions command_start(const Event& event, TimePoint now);
  Actions spawn(Cause cause, TimePoint now, ActionType how = ActionType::kSpawn);
  Actions stop_tree(Goal goal, Cause cause, TimePoint now);
  Actions recover(Cause cause, Duration uptime, TimePoint now);
  Actions exited(const Event& event, Duration uptime, TimePoint now);
  Actions unblocked(const Event& event, TimePoint now);
  Actions wait_for(Await await, Cause cause, TimePoint now);
  Actions rest(Goal goal, Cause cause, TimePoint now);
  void enter(State state, Cause cause);

  LifecycleConfig config_;
  RestartBudget budget_;
  State state_ = State::kStopped;
  Cause cause_ = Cause::kStopCommand;
  bool desired_running_ = false;
  bool commanded_ = false;              ///< an operator waits for the start under way; its failure is final
  bool held_ = false;                   ///< a debugger held the start when its time was last up
  bool retrying_ = false;               ///< the start under way is the slow retry out of failed: one attempt
  Goal goal_ = Goal::kStop;             ///< what follows stopping
  std::optional<Cause> restart_cause_;  ///< to be counted when the next spawn happens
  Await awaiting_ = Await::kNone;
  Await await_next_ = Await::kNone;  ///< with Goal::kAwait
  TimePoint not_before_{};           ///< a start that is unblocked earlier waits until then
  Duration backoff_delay_{0};
  std::optional<TimePoint> next_attempt_;
  TimePoint running_since_{};
};

}  // namespace codex
