#pragma once

#include <cstddef>
#include <optional>

#include "agent/os/clock.h"
#include "probes/probe_spec.h"

namespace codex {

/// When one configured probe is asked next. Never while an attempt is under way: the next begins one period
/// after the last one began, or at once when that took longer. While a start is under way the pauses are 20 ms,
/// then longer by half each time up to 500 ms, so that a fast backend is ready at once and a slow one is not
/// bothered. Pure: `now` never goes back.
class ProbeSchedule {
 public:
  /// `index`: the probe's place among those of its backend, which are spread so that they do not all wake the
  /// loop and the backend in the same instant.
  ProbeSchedule(ProbeSpec spec, std::size_t index);

  /// A start begins, whatever was before: a database is asked at once, the others by begin_readiness().
  void begin_generation(TimePoint now);

  /// The backend listens: it is asked at once, unless it is asked in quick succession already.
  void begin_readiness(TimePoint now);

  /// The start is complete: from now on by period, and a startup probe no more. An attempt under way goes on.
  void begin_running(TimePoint now);

  /// Is due at once if it asks the backend's own listener by http and no attempt is under way.
  void ask_own_http(TimePoint now);

  /// It is asked no more; an attempt under way has been given up.
  void stop();

  void attempt_began(TimePoint now);
  void attempt_ended(TimePoint now);

  /// nullopt: not by the clock.
  [[nodiscard]] std::optional<TimePoint> due() const { return due_; }
  [[nodiscard]] bool under_way() const { return under_way_; }
  /// When the newest attempt did.
  [[nodiscard]] TimePoint began() const { return began_; }

 private:
  ProbeSpec spec_;
  std::size_t index_;
  bool starting_ = false;
  bool under_way_ = false;
  int quick_attempts_ = 0;
  TimePoint began_{};
  std::optional<TimePoint> due_;
};

}  // namespace codex
