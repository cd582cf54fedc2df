#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "agent/os/schedule.h"
#include "agent/policy/lifecycle.h"

namespace codex {

/// Feeds a Lifecycle its events, one after the other, and has its actions carried out. An action's own events
/// wait until the step that led to it is complete. Loop thread.
class LifecycleDriver {
 public:
  /// The step that spawns or adopts, for Hands::failed.
  static constexpr std::string_view kStartStep = "start";
  struct Hands {
    std::function<void(State before)> entered;     ///< a new state, before its actions
    std::function<void(const Action&)> carry_out;  ///< all but the state's timer
    std::function<bool()> leftovers;  ///< something of an earlier life still lives, or it cannot be told
    std::function<bool()> held;       ///< a debugger keeps the start from getting on
    /// What was being done threw; the other steps go on.
    std::function<void(std::string_view step, const std::exception& error)> failed;
    std::function<void()> settled;  ///< there is no event left
  };
  /// `seed`: of the jitter of delays, the same for a backend each time.
  LifecycleDriver(const LifecycleConfig& config, std::uint64_t seed, Schedule& schedule, Hands hands);

  /// `event` is complete but for Event::leftovers and Event::held.
  void handle(Event event);

  [[nodiscard]] const Lifecycle& lifecycle() const { return lifecycle_; }
  /// Lifecycle::next_attempt() by the wall's clock as it was when it was decided, so that it stays the same.
  [[nodiscard]] std::optional<WallTime> next_attempt() const { return next_attempt_; }
  [[nodiscard]] RestartBudget& budget() { return lifecycle_.budget(); }
  /// An operator has given a command, since this agent began.
  [[nodiscard]] bool commanded() const { return commanded_; }

 private:
  void step(const Event& event);
  void note_attempt();
  void attempt(std::string_view step, const std::function<void()>& what);
  void carry_out(const Action& action);

  Schedule& schedule_;
  Hands hands_;
  Lifecycle lifecycle_;
  std::deque<Event> queue_;
  std::optional<TimePoint> told_attempt_;
  std::optional<WallTime> next_attempt_;
  bool handling_ = false;
  bool commanded_ = false;
  std::unique_ptr<Alarm> alarm_;  ///< of the state
};

}  // namespace codex
