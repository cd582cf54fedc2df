#include "agent/record/recent_history.h"

#include <algorithm>
#include <utility>

namespace codex {

RecentHistory::RecentHistory(std::vector<std::string> probes) {
  for (auto& name : probes) probes_.push_back({std::move(name), {}, {}});
}

void RecentHistory::entered(std::string_view state, std::string_view reason, TimePoint at) {
  if (!states_.empty() && states_.back().state == state) return;
  states_.push_back({at, std::string(state), std::string(reason)});
  // The first one kept may have begun long ago; it is over when the second begins.
  while (states_.size() > kMaxStates || (states_.size() > 1 && states_[1].at <= at - kRecentSpan))
    states_.pop_front();
}

void RecentHistory::asked(std::size_t probe, std::optional<double> seconds, TimePoint at) {
  if (seconds) return probes_[probe].seconds.note(*seconds, at);
  probes_[probe].failures.note(1, at);
}

void RecentHistory::used(double memory_bytes, std::optional<double> cpu_ratio, TimePoint at) {
  used_memory_bytes_.note(memory_bytes, at);
  if (cpu_ratio) cpu_ratio_.note(*cpu_ratio, at);
}

BackendRecent RecentHistory::tell(TimePoint now) const {
  BackendRecent recent;
  for (auto each = states_.begin(); each != states_.end(); ++each) {
    const TimePoint end = std::next(each) == states_.end() ? now : std::next(each)->at;
    if (each->state.empty() || end <= now - kRecentSpan) continue;
    recent.states.push_back({each->state, each->reason,
                             to_seconds(now - std::max(each->at, now - kRecentSpan)), to_seconds(now - end)});
  }
  for (const Probe& probe : probes_)
    recent.probes.push_back({probe.name, probe.seconds.values(now), probe.failures.values(now)});
  recent.used_memory_bytes = used_memory_bytes_.values(now);
  recent.cpu_ratio = cpu_ratio_.values(now);
  return recent;
}

}  // namespace codex
