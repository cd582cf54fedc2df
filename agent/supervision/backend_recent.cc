#include <algorithm>
#include <utility>

#include "agent/supervision/backend.h"

/// The last hour of a backend, for people. Nothing is decided by it.

namespace codex {

namespace {

constexpr std::size_t kShownEvents = 10;

}  // namespace

/// Takes up what earlier agents wrote down. Their clock was the wall's: it may have been set since. How long
/// the last state lasted nobody knows, unless the backend lives or was at rest.
void Backend::recall() {
  const TimePoint now = Clock::now();
  const WallTime wall_now = std::chrono::system_clock::now();
  TimePoint last = now - kRecentSpan;
  bool at_rest = true;
  for (const LifecycleEvent& event : services_.events.after(0)) {
    if (event.backend != config_.name) continue;
    const auto age = std::chrono::duration_cast<Duration>(wall_now - event.at);
    last = std::clamp(now - age, last, now);
    recent_.entered(event.to, event.reason, last);
    at_rest = event.to == "stopped" || event.to == "failed";
  }
  if (!at_rest && tree_.members().empty()) recent_.entered("", "no_agent", last);
}

void Backend::note_answer(std::size_t index) {
  const ProbeTracker& tracker = prober_.trackers()[index];
  switch (tracker.last_outcome()) {
    case Outcome::kSuccess:
      return recent_.asked(index, to_seconds(tracker.last_elapsed()), services_.loop.now());
    case Outcome::kFailure:
      return recent_.asked(index, std::nullopt, services_.loop.now());
    case Outcome::kUnknown:
      return;
  }
}

BackendRecent Backend::recent() const {
  BackendRecent recent = recent_.tell(Clock::now());
  for (LifecycleEvent& event : services_.events.newest(config_.name, kShownEvents)) {
    recent.events.push_back({event.at, std::move(event.from), std::move(event.to), std::move(event.reason),
                             std::move(event.detail)});
  }
  return recent;
}

}  // namespace codex
