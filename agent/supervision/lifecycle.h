#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/config/config.h"
#include "agent/os/clock.h"
#include "agent/os/reaper.h"
#include "agent/supervision/restart_budget.h"

namespace codex {

/// The life of one backend, as a pure function of events and time: no clock, no I/O, no log.
///
/// | state    | meaning                                             | its one timer          | leaves by |
/// |----------|-----------------------------------------------------|------------------------|---------------------------------|
/// | stopped  | nothing runs, nothing is wanted                     | -                      | start | |
/// starting | spawned, not yet ready                              | start timeout          | ready, exit,
/// stop, timer        | | running  | was ready                                           | - | exit, stop,
/// restart             | | stopping | the tree is being brought down, then `goal` follows | grace, then kill
/// again | tree_empty, and nothing else    | | backoff  | nothing runs, an automatic start is due | delay |
/// timer, start, stop              | | failed   | nothing runs, patience is used up                   | slow
/// retry             | timer, start, stop              |
///
/// Nothing of generation n lives in stopped, backoff and failed: they are entered from stopping by
/// `tree_empty` only (or from starting, when the spawn left nothing behind). So `spawn` is asked for only
/// when the tree is empty and the port is free, and a stop is final until the next start.
enum class State { kStopped, kStarting, kRunning, kStopping, kBackoff, kFailed };
std::string_view to_string(State state);

enum class EventType {
  kStart,        ///< an operator wants it running
  kStop,         ///< an operator wants it stopped
  kRestart,      ///< `reason` tells who wants it: an operator (manual) or the agent
  kReady,        ///< all conditions of the start are met
  kPortTaken,    ///< the spawn was not done: a stranger holds the port
  kSpawnFailed,  ///< nothing was left behind; `transient` if trying again may help
  kExited,       ///< the leader ended
  kTreeEmpty,    ///< no member of the tree lives and the port does not LISTEN
  kTimer,        ///< the state's timer
};

/// Why things happen: the word in transitions, events and logs.
enum class Cause {
  kStartCommand,
  kStopCommand,
  kRestartCommand,
  kAdopted,
  kReady,
  kExit,
  kCrash,
  kStartTimeout,
  kPortTaken,
  kExecError,
  kProbeFailure,
  kHang,
  kMemoryLimit,
  kDependency,
  kRetry,
  kStartLimit,
};
std::string_view to_string(Cause cause);

struct Event {
  EventType type = EventType::kStart;
  ExitStatus exit{};                      ///< kExited
  Cause reason = Cause::kRestartCommand;  ///< kRestart
  bool transient = false;                 ///< kSpawnFailed
  bool adoptable = false;  ///< kStart: the leftovers have a leader and may be taken over as they are
  bool leftovers = false;  ///< commands, kTimer: members of an earlier life still live
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
  /// When the pending automatic start is due (backoff, failed with retry).
  [[nodiscard]] std::optional<TimePoint> next_attempt() const { return next_attempt_; }
  [[nodiscard]] Duration backoff_delay() const { return backoff_delay_; }
  /// True once SIGKILL was needed for the stop under way.
  [[nodiscard]] bool killing() const { return killing_; }

 private:
  enum class Goal { kStop, kSpawn, kBackoff, kFail };
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
  Actions exited(const ExitStatus& exit, Duration uptime, TimePoint now);
  Actions rest(Goal goal, Cause cause, TimePoint now);
  void enter(State state, Cause cause);

  LifecycleConfig config_;
  RestartBudget budget_;
  State state_ = State::kStopped;
  Cause cause_ = Cause::kStopCommand;
  bool desired_running_ = false;
  bool commanded_ = false;  ///< an operator waits for the start under way; its failure is final
  bool retrying_ = false;   ///< the start under way is the slow retry out of failed: one attempt
  bool killing_ = false;
  Goal goal_ = Goal::kStop;             ///< what follows stopping
  std::optional<Cause> restart_cause_;  ///< to be counted when the next spawn happens
  Duration backoff_delay_{0};
  std::optional<TimePoint> next_attempt_;
  TimePoint running_since_{};
};

}  // namespace codex
