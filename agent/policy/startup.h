#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/os/clock.h"

namespace codex {

/// Consecutive parts of one start, in this order.
enum class StartupPhase { kSpawn, kListen, kDatabase, kRespond };
std::string_view to_string(StartupPhase phase);

/// How far one start has come. Pure. Conditions may be met in any order and may be undone (a port that is
/// closed again); a phase ends when its condition and those of all phases before it hold, so that the
/// durations are consecutive and sum to the total.
class Startup {
 public:
  /// `needed`: conditions that this backend has; spawn always is one.
  Startup(TimePoint began, std::vector<StartupPhase> needed);

  /// The condition of `phase` holds (or no longer holds) as seen at `now`.
  void set(StartupPhase phase, bool holds, TimePoint now);

  [[nodiscard]] bool complete() const;

  /// The first phase that has not ended; nullopt once complete.
  [[nodiscard]] std::optional<StartupPhase> waiting_for() const;

  /// Durations of the phases that ended.
  [[nodiscard]] std::vector<std::pair<StartupPhase, Duration>> phases() const;

  /// From the beginning to the end of the last phase that ended.
  [[nodiscard]] Duration elapsed() const;

 private:
  struct Step {
    StartupPhase phase;
    bool holds = false;
    std::optional<TimePoint> ended;
  };
  TimePoint began_;
  std::vector<Step> steps_;
};

}  // namespace codex
