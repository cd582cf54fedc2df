#include "agent/supervision/backend_story.h"

#include <algorithm>
#include <utility>

#include "agent/record/log_line.h"

namespace codex {

namespace {

constexpr std::size_t kShownEvents = 10;
constexpr std::size_t kShownDetail = 512;

}  // namespace

BackendStory::BackendStory(std::string backend, std::vector<std::string> probes, const Schedule& schedule,
                           Logger& log, const Redactor& redactor, EventHistory& events)
    : backend_(std::move(backend)),
      schedule_(schedule),
      log_(log),
      redactor_(redactor),
      events_(events),
      recent_(std::move(probes)) {}

/// The clock of earlier agents was the wall's: it may have been set since. How long the last state lasted
/// nobody knows, unless the backend lives or was at rest.
void BackendStory::recall(bool alive) {
  const TimePoint now = schedule_.now();
  const WallTime wall_now = schedule_.wall_now();
  TimePoint last = now - kRecentSpan;
  bool at_rest = true;
  for (const LifecycleEvent& event : events_.after(0)) {
    if (event.backend != backend_) continue;
    const auto age = std::chrono::duration_cast<Duration>(wall_now - event.at);
    last = std::clamp(now - age, last, now);
    recent_.entered(event.to, event.reason, last);
    at_rest = event.to == "stopped" || event.to == "failed";
  }
  if (!at_rest && !alive) recent_.entered("", "no_agent", last);
}

void BackendStory::agent_started() {
  recent_.entered(record_.state(), "agent_started", schedule_.now());
}

void BackendStory::publish(std::string_view state, std::string_view reason, const std::string& detail) {
  if (state == record_.state()) return;
  const auto& change =
      record_.entered(state, reason, redactor_.safe(detail, kShownDetail), schedule_.wall_now());
  recent_.entered(state, reason, schedule_.now());
  tell("state_changed", change,
       state == "failed" || state == "backoff" || state == "degraded" || state == "hung");
}

void BackendStory::explain(std::string_view reason, const std::string& detail) {
  const std::string shown = redactor_.safe(detail, kShownDetail);
  if (!record_.explained(reason, shown)) return;
  tell("reason_changed", {schedule_.wall_now(), record_.state(), record_.state(), std::string(reason), shown},
       true);
}

void BackendStory::tell(std::string_view event, const LastTransition& change, bool bad) {
  events_.append(
      {0, change.at, backend_, std::string(event), change.from, change.to, change.reason, change.detail});
  LogLine line(event);
  line.kv("backend", backend_).kv("from", change.from).kv("to", change.to).kv("reason", change.reason);
  if (!change.detail.empty()) line.kv("detail", change.detail);
  bad ? log_.warning(line.str()) : log_.info(line.str());
}

void BackendStory::note_answer(std::size_t index, const ProbeTracker& probe) {
  switch (probe.last_outcome()) {
    case Outcome::kSuccess:
      return recent_.asked(index, to_seconds(probe.last_elapsed()), schedule_.now());
    case Outcome::kFailure:
      return recent_.asked(index, std::nullopt, schedule_.now());
    case Outcome::kUnknown:
      return;
  }
}

void BackendStory::note_usage(double used_bytes, std::optional<double> cpu_ratio) {
  recent_.used(used_bytes, cpu_ratio, schedule_.now());
}

BackendRecent BackendStory::recent() const {
  BackendRecent recent = recent_.tell(schedule_.now());
  for (LifecycleEvent& event : events_.newest(backend_, kShownEvents)) {
    recent.events.push_back({event.at, std::move(event.from), std::move(event.to), std::move(event.reason),
                             std::move(event.detail)});
  }
  return recent;
}

}  // namespace codex
