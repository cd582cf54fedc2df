#pragma once

#include <map>
#include <string>
#include <vector>

#include "probes/hang/blocked_loop.h"
#include "probes/hang/hang_course.h"

namespace codex {

/// Judges each of several processes that serve one port. Pure.
///
/// A queue that gets shorter says only that somebody accepts. So a worker is judged by what it has to do
/// itself: a request that it took and has not answered, while its thread is away from where it rests; or by
/// being stopped. One slow request of a pool that takes one at a time is no trouble yet: a worker is told after
/// kTold. When all of them are stuck, the backend is.
class WorkerLoops {
 public:
  static constexpr Duration kTold = std::chrono::milliseconds(2500);
  static constexpr Duration kAllStuck = std::chrono::milliseconds(1500);

  void observe(const HangObservation& seen, Duration elapsed);
  /// The host slept: nothing is known, but what was learned of each process.
  void start_anew();
  void forget() { workers_.clear(); }

  /// All together, as the loop of the backend.
  [[nodiscard]] HangFinding finding() const;
  /// The courses of those that are to be told, the longest first.
  [[nodiscard]] std::vector<StuckWorker> stuck() const;

  /// Some worker is away from its rest: its connections can tell.
  [[nodiscard]] bool somebody_in_doubt() const;
  /// All are: only a connection can tell whether anybody accepts.
  [[nodiscard]] bool all_in_doubt() const;
  /// All can be judged by what their threads do.
  [[nodiscard]] bool are_known() const;
  [[nodiscard]] Duration longest_clock() const;

 private:
  struct Worker {
    BlockedLoop loop;
    HangCourse course;
    bool has_work = false;
    bool seen = false;
  };
  std::map<ProcessId, Worker> workers_;
};

}  // namespace codex
