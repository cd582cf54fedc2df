#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "agent/os/event_loop.h"
#include "agent/policy/probe_schedule.h"
#include "agent/policy/probe_tracker.h"
#include "probes/probe.h"
#include "probes/probe_context.h"

namespace codex {

/// Asks a backend's probes when their schedules say so and keeps their trackers. Loop thread.
class Prober {
 public:
  /// Both are called with the tracker's index: before an attempt begins, and after it was recorded.
  struct Events {
    std::function<void(std::size_t index)> asked, answered;
  };
  using Maker = std::function<std::unique_ptr<Probe>(const ProbeSpec& spec)>;

  /// `make` is called once for each of `specs`, now.
  Prober(EventLoop& loop, const std::vector<ProbeSpec>& specs, const Maker& make, Events events);

  /// With the probes of make_probe().
  Prober(const std::vector<ProbeSpec>& specs, const ProbeContext& context, Events events);

  /// A start begins: attempts under way are given up, verdicts are forgotten, and database probes are asked in
  /// quick succession.
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
  struct Scheduled {
    std::unique_ptr<Probe> probe;
    ProbeSchedule schedule;
    Timer timer;  // keep last
  };
  void ask(std::size_t index);
  void finished(std::size_t index, const ProbeResult& result);
  void reschedule(void (ProbeSchedule::*step)(TimePoint now));

  EventLoop& loop_;
  Events events_;
  std::vector<ProbeTracker> trackers_;
  std::vector<Scheduled> probes_;
};

}  // namespace codex
