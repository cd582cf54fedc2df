#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/rotating_file.h"

namespace codex {

/// One thing that happened to a backend. All texts must be free of secrets and safe to show.
struct LifecycleEvent {
  std::uint64_t seq = 0;  ///< 1, 2, 3 ... over all agents that used the same file
  WallTime at{};
  std::string backend, event, from, to, reason, detail;
};

/// {"seq":7,"at":"2026-11-23T12:03:04.123Z","backend":...,"event":...,"from":...,"to":...,"reason":...,
/// "detail":...} on one line; invalid UTF-8 becomes U+FFFD.
std::string to_json(const LifecycleEvent& event);

/// The newest 1,000 events, kept in memory and, as one JSON object a line, in a file that survives the agent.
/// Loop thread.
class EventHistory {
 public:
  /// Takes up the newest events of `file` and of its predecessor `file.1`, reading at most 1 MiB of each end;
  /// lines that are no events are skipped, an unreadable file counts as empty. Blocks for that reading.
  explicit EventHistory(RotatingFile& file);

  /// Numbers the event, keeps it and writes it. Returns its seq.
  std::uint64_t append(LifecycleEvent event);

  /// Calls `appended` with every event from now on, numbered, once it is kept and written.
  void on_append(std::function<void(const LifecycleEvent&)> appended) { appended_ = std::move(appended); }

  /// Events with a greater seq that are still kept, oldest first.
  [[nodiscard]] std::vector<LifecycleEvent> after(std::uint64_t seq) const;

  /// The newest `count` of one backend that are still kept, newest first.
  [[nodiscard]] std::vector<LifecycleEvent> newest(std::string_view backend, std::size_t count) const;

  /// seq of the newest event ever; 0 before the first.
  [[nodiscard]] std::uint64_t last() const { return last_; }

 private:
  void restore(std::string_view lines);
  void keep(LifecycleEvent event);

  RotatingFile& file_;
  std::deque<LifecycleEvent> events_;
  std::uint64_t last_ = 0;
  std::function<void(const LifecycleEvent&)> appended_;
};

}  // namespace codex
