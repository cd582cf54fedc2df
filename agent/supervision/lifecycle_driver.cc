#include "agent/supervision/lifecycle_driver.h"

#include <exception>
#include <utility>

namespace codex {

namespace {

bool needs_leftovers(const Event& event, State state) {
  switch (event.type) {
    case EventType::kStart:
    case EventType::kStop:
    case EventType::kRestart:
    case EventType::kUnblocked:
      return true;
    case EventType::kTimer:
      return state == State::kBackoff || state == State::kFailed;
    case EventType::kReady:
    case EventType::kPortTaken:
    case EventType::kSpawnFailed:
    case EventType::kExited:
    case EventType::kTreeEmpty:
      return false;
  }
  return false;
}

bool is_command(const Event& event) {
  return event.type == EventType::kStop || (event.type == EventType::kStart && !event.resumed) ||
         (event.type == EventType::kRestart && event.cause == Cause::kRestartCommand);
}

}  // namespace

LifecycleDriver::LifecycleDriver(const LifecycleConfig& config, std::uint64_t seed, Schedule& schedule,
                                 Hands hands)
    : schedule_(schedule),
      hands_(std::move(hands)),
      lifecycle_(config, seed),
      alarm_(schedule.alarm(
          "state", [this] { handle({EventType::kTimer}); }, Priority::kUrgent)) {}

void LifecycleDriver::handle(Event event) {
  if (is_command(event)) commanded_ = true;
  if (needs_leftovers(event, lifecycle_.state())) event.leftovers = hands_.leftovers();
  if (event.type == EventType::kTimer && lifecycle_.state() == State::kStarting) event.held = hands_.held();
  queue_.push_back(event);
  if (handling_) return;
  handling_ = true;
  while (!queue_.empty()) {
    const Event next = queue_.front();
    queue_.pop_front();
    step(next);
  }
  handling_ = false;
  hands_.settled();
}

void LifecycleDriver::step(const Event& event) {
  const State before = lifecycle_.state();
  const auto actions = lifecycle_.on(event, schedule_.now());
  note_attempt();
  if (lifecycle_.state() != before) attempt("entered", [&] { hands_.entered(before); });
  for (const auto& action : actions) carry_out(action);
}

void LifecycleDriver::note_attempt() {
  const auto next = lifecycle_.next_attempt();
  if (next == told_attempt_) return;
  told_attempt_ = next;
  next_attempt_.reset();
  if (next) next_attempt_ = schedule_.wall_in(*next - schedule_.now());
}

void LifecycleDriver::carry_out(const Action& action) {
  switch (action.type) {
    case ActionType::kArmTimer:
      return alarm_->arm_at(action.at);
    case ActionType::kDisarmTimer:
      return alarm_->disarm();
    case ActionType::kSpawn:
    case ActionType::kAdopt:
      attempt(kStartStep, [&] { hands_.carry_out(action); });
      return;
    case ActionType::kStopTree:
    case ActionType::kKillTree:
    case ActionType::kCountRestart:
      attempt("action", [&] { hands_.carry_out(action); });
      return;
  }
}

/// One step on its own, so that its failure keeps no other step from being done.
void LifecycleDriver::attempt(std::string_view step, const std::function<void()>& what) {
  try {
    what();
  } catch (const std::exception& error) {
    hands_.failed(step, error);
  }
}

}  // namespace codex
