#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "probes/hang/blocked_loop.h"
#include "probes/hang/hang_course.h"
#include "probes/hang/hang_depth.h"
#include "probes/hang/hang_verdict.h"
#include "probes/hang/overload.h"
#include "probes/hang/stuck_requests.h"
#include "probes/hang/stuck_start.h"
#include "probes/hang/worker_loops.h"

namespace codex {

/// What speaks for a hang in each look (BlockedLoop, StuckRequests ...), and the course of the hang that it
/// makes. Pure: no clock, no I/O. One for each backend; forget() between its processes.
class HangDetector {
 public:
  const HangVerdict& observe(const HangObservation& seen);

  /// Another process serves now. What was learned of the backend stays, of the process not.
  void forget();

  /// A start took this long until the backend listened.
  void learn_start(Duration elapsed);

  [[nodiscard]] const HangVerdict& verdict() const { return verdict_; }

  /// How many processes serve, and those of several that make no progress while others do.
  [[nodiscard]] int workers() const { return serving_; }
  [[nodiscard]] std::vector<StuckWorker> stuck_workers() const;

  /// Of the newest look.
  [[nodiscard]] const HangSignals& signals() const { return signals_; }

  /// The thread has no time left, and yet gets on; in words.
  [[nodiscard]] std::optional<std::string> overload() const;

  /// How the looks at the present suspicion or hang judged it.
  [[nodiscard]] std::map<HangClass, int> votes() const;

  /// How closely to look at `now`: what costs more is looked at more rarely, and more often when in doubt.
  [[nodiscard]] HangDepth wants(TimePoint now) const;

 private:
  Duration count_elapsed(const HangObservation& seen);
  void watch_descriptors(const HangObservation& seen, Duration elapsed);
  void note_looks(const HangObservation& seen);
  [[nodiscard]] bool requests_due(TimePoint now) const;
  [[nodiscard]] std::vector<HangFinding> findings(const HangObservation& seen) const;
  [[nodiscard]] HangSignals read_signals(const HangObservation& seen) const;
  void observe_loops(const HangObservation& seen, Duration elapsed);
  [[nodiscard]] bool several() const { return serving_ > 1; }
  [[nodiscard]] bool loops_known() const { return several() ? workers_.are_known() : loop_.is_known(); }
  [[nodiscard]] HangFinding judge_loop() const;
  [[nodiscard]] HangFinding judge_descriptors(const HangObservation& seen) const;
  [[nodiscard]] HangFinding judge_requests() const;
  [[nodiscard]] HangFinding judge_start(const HangObservation& seen) const;

  BlockedLoop loop_;     ///< of the only one that serves
  WorkerLoops workers_;  ///< of several
  ProcessId watched_;    ///< the only one
  int serving_ = 0;
  StuckRequests requests_;
  Overload overload_;
  StuckStart start_;
  std::optional<Duration> usual_start_;
  std::optional<TimePoint> before_;
  std::optional<TimePoint> saw_process_, saw_threads_, saw_requests_, saw_outgoing_;
  Duration requests_cost_{0};
  std::uint64_t reads_then_ = 0, cpu_then_ = 0;  ///< of the serving thread, at the last look at requests
  bool active_ = true;                           ///< it did something since
  bool descriptors_low_ = false;
  int dropped_ = 0;  ///< accept-probes in a row that were dropped at once
  Duration dropping_{0};
  std::string descriptors_;  ///< "1012 of 1024"
  bool debugger_ = false;
  HangCourse course_;
  HangVerdict verdict_;
  HangSignals signals_;
};

}  // namespace codex
