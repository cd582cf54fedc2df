#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "agent/os/event_loop.h"
#include "agent/policy/probe_tracker.h"
#include "probes/kinds/make_probe.h"

namespace codex {

/// Asks a backend's probes on schedule and keeps their trackers. A probe never overlaps itself: the next
/// attempt begins one period after the last one began, or at once when that took longer. Loop thread.
class Prober {
 public:
  /// Both are called with the tracker's index: before an attempt begins, and after it was recorded.
  struct Events {
    std::function<void(std::size_t index)> asked, answered;
  };
  Prober(const std::vector<ProbeSpec>& specs, const ProbeContext& context, Events events);

  /// A start begins: verdicts are forgotten, and database probes are asked in quick succession.
  void begin_generation();

  /// The backend listens: now the other probes can succeed; ask them in quick succession too.
  void begin_readiness();

  /// The start is complete: from now on by period.
  void begin_running();

  /// Asks the backend's own http probes at once instead of at their next turn.
  void ask_http_now();

  /// See ProbeTracker::forgive: of one probe, and of all.
  void forgive(std::size_t index, ProbeTracker::Excuse excuse);
  void forgive_all();

  /// The backend is on its way down: gives up attempts under way; nothing is recorded any more.
  void stop();

  [[nodiscard]] const std::vector<ProbeTracker>& trackers() const { return trackers_; }

 private:
  struct Schedule {
    std::unique_ptr<Probe> probe;
    TimePoint began{};
    bool under_way = false;
    int quick_attempts = 0;
    Timer timer;  // keep last
  };
  void ask(std::size_t index);
  void finished(std::size_t index, const ProbeResult& result);
  void restart_schedule(std::size_t index, Duration delay);

  EventLoop& loop_;
  Events events_;
  bool starting_ = false;
  std::vector<ProbeTracker> trackers_;
  std::vector<Schedule> schedules_;
};

}  // namespace codex
