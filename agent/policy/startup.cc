#include "agent/policy/startup.h"

#include <algorithm>

namespace codex {

std::string_view to_string(StartupPhase phase) {
  switch (phase) {
    case StartupPhase::kSpawn:
      return "spawn";
    case StartupPhase::kListen:
      return "listen";
    case StartupPhase::kDatabase:
      return "database";
    case StartupPhase::kRespond:
      return "respond";
  }
  return "";
}

Startup::Startup(TimePoint began, std::vector<StartupPhase> needed) : began_(began) {
  for (const auto phase : needed) steps_.push_back(Step{phase, false, std::nullopt});
}

void Startup::set(StartupPhase phase, bool holds, TimePoint now) {
  for (auto& step : steps_) {
    if (step.phase == phase) step.holds = holds;
  }
  for (auto& step : steps_) {
    if (!step.holds) break;
    if (!step.ended) step.ended = now;
  }
}

bool Startup::complete() const {
  return std::all_of(steps_.begin(), steps_.end(), [](const Step& step) { return step.holds && step.ended; });
}

std::optional<StartupPhase> Startup::waiting_for() const {
  for (const auto& step : steps_) {
    if (!step.holds || !step.ended) return step.phase;
  }
  return std::nullopt;
}

std::vector<std::pair<StartupPhase, Duration>> Startup::phases() const {
  std::vector<std::pair<StartupPhase, Duration>> phases;
  TimePoint previous = began_;
  for (const auto& step : steps_) {
    if (!step.ended) break;
    phases.emplace_back(step.phase, *step.ended - previous);
    previous = *step.ended;
  }
  return phases;
}

Duration Startup::elapsed() const {
  Duration total{0};
  for (const auto& [phase, duration] : phases()) total += duration;
  return total;
}

}  // namespace codex
