#include "agent/policy/wrapper_guard.h"

#include <algorithm>

namespace codex {

namespace {

ProcessId id_of(const ProcStat& stat) {
  return ProcessId{stat.pid, stat.start_ticks};
}

}  // namespace

void WrapperGuard::begin_generation() {
  server_.reset();
  forgive();
  wrappers_.clear();
}

void WrapperGuard::forgive() {
  gone_at_.reset();
  missing_since_.reset();
  renewed_ = false;
}

void WrapperGuard::observe(const std::vector<ProcStat>& members, std::optional<ProcessId> listener,
                           TimePoint now) {
  if (listener) {
    server_ = listener;
    return forgive();
  }
  if (!server_) return;
  const auto is_server = [&](const ProcStat& stat) { return id_of(stat) == *server_; };
  // It may have closed its port and live: that is another matter.
  if (std::any_of(members.begin(), members.end(), is_server)) return forgive();
  std::set<ProcessId> present;
  for (const auto& stat : members) present.insert(id_of(stat));
  if (!gone_at_) {
    gone_at_ = missing_since_ = now;
    wrappers_ = present;
  }
  restarting_ = !std::includes(wrappers_.begin(), wrappers_.end(), present.begin(), present.end());
  renewed_ = renewed_ || restarting_;
  if (restarting_) gone_at_ = now;  // Should that one end as well, the wait begins anew.
}

std::optional<TimePoint> WrapperGuard::idle_since(TimePoint now) const {
  if (!gone_at_ || wrappers_.empty() || now - *gone_at_ < kPatience) return std::nullopt;
  return gone_at_;
}

bool is_chain(const std::vector<ProcStat>& members) {
  const auto children_of = [&](pid_t parent) {
    return std::count_if(members.begin(), members.end(),
                         [&](const ProcStat& stat) { return stat.parent == parent; });
  };
  const auto roots = std::count_if(members.begin(), members.end(), [&](const ProcStat& stat) {
    return std::none_of(members.begin(), members.end(),
                        [&](const ProcStat& other) { return other.pid == stat.parent; });
  });
  return roots == 1 && std::all_of(members.begin(), members.end(),
                                   [&](const ProcStat& stat) { return children_of(stat.pid) <= 1; });
}

}  // namespace codex
