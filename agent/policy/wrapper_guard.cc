#include "agent/policy/wrapper_guard.h"

#include <algorithm>
#include <string_view>

namespace codex {

namespace {

ProcessId id_of(const ProcStat& stat) {
  return ProcessId{stat.pid, stat.start_ticks};
}

bool is_waiting_line(std::string_view line) {
  const auto has = [&](std::string_view part) { return line.find(part) != std::string_view::npos; };
  const bool nodemon = has("[nodemon] app crashed - waiting for file changes") ||
                       has("[nodemon] clean exit - waiting for changes");
  const bool node_watch = line.starts_with("Failed running '") || line.starts_with("Completed running '");
  return nodemon || node_watch;
}

bool is_starting_line(std::string_view line) {
  const auto has = [&](std::string_view part) { return line.find(part) != std::string_view::npos; };
  return has("[nodemon] starting `") || has("[nodemon] restarting due to changes") ||
         line.starts_with("Restarting '");
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
  if (restarting_) gone_at_ = now;  // Should that one end as well, the wait begins anew.
}

std::optional<TimePoint> WrapperGuard::idle_since(TimePoint now) const {
  if (!gone_at_ || wrappers_.empty() || now - *gone_at_ < kPatience) return std::nullopt;
  return gone_at_;
}

std::optional<std::string> wrapper_says(const std::vector<std::string>& last_lines) {
  for (auto line = last_lines.rbegin(); line != last_lines.rend(); ++line) {
    if (is_starting_line(*line)) return std::nullopt;
    if (is_waiting_line(*line)) return *line;
  }
  return std::nullopt;
}

}  // namespace codex
