#pragma once

#include <optional>
#include <string>

#include "probes/hang/cpu_window.h"
#include "probes/hang/hang_class.h"
#include "probes/hang/hang_course.h"
#include "probes/hang/hang_observation.h"
#include "probes/hang/resting_place.h"
#include "probes/hang/vote_window.h"

namespace codex {

/// Judges whether the serving thread still turns its event loop. Pure. It has nothing to say of a process
/// whose loop was not learned (RestingPlace), but that it is stopped. Of Node a loop is known beforehand; and
/// a program with a single thread does nothing else while that waits elsewhere, once it has been seen to rest
/// or to have a request: before that it may still load itself.
///
/// An idle server looks like a hung one from outside, so silence means nothing without *pending* work: a
/// connection that waits to be accepted, possibly our own. The hang clock runs while work is pending and no
/// connection gets accepted: neither ours, nor does the queue get shorter. It is CPU-honest: a thread that
/// could run is charged only the CPU time it got. An overloaded loop may take many seconds for one turn; the
/// time up to a moment at which the thread both reads and writes, as for an answer, counts for an eighth, and
/// a connection that was accepted, read from or answered meanwhile ends the block. Being seen asleep in the
/// main event loop with an empty accept queue ends a block at once.
class BlockedLoop {
 public:
  /// A look took `elapsed` since the one before, as far as it counts.
  void observe(const HangObservation& seen, Duration elapsed);

  /// A new process, or the host slept: nothing is known. What was learned of the process stays if `keep`.
  void reset(bool keep_learned);

  /// Suspected after 250 ms; confirmed after 750, or 600 of CPU time received, when enough looks agree on a
  /// class.
  [[nodiscard]] const HangFinding& finding() const { return finding_; }

  [[nodiscard]] Duration clock() const { return clock_; }  ///< 0: not blocked
  [[nodiscard]] const VoteWindow& votes() const { return votes_; }

  /// It reads and writes, but is not seen to accept: the connections can tell whether it serves them.
  [[nodiscard]] bool seems_busy() const { return crept_ > Duration{0}; }
  /// Away from its resting place for some looks without any read or write: only a connection can tell.
  [[nodiscard]] bool in_doubt() const { return doubtful_looks_ >= kDoubtfulLooks; }
  /// It may be judged by what its thread does.
  [[nodiscard]] bool is_known() const {
    return place_.learned() || node_ || (single_ && (place_.has_rested() || has_taken_));
  }

 private:
  [[nodiscard]] bool at_rest() const;
  void look(const HangObservation& seen, Duration elapsed);
  [[nodiscard]] HangFinding judge() const;
  void clear();
  void vote(const HangObservation& seen);
  bool served_meanwhile(const HangObservation& seen);
  [[nodiscard]] bool collector_works(const HangObservation& seen) const;

  static constexpr int kDoubtfulLooks = 3;
  RestingPlace place_;
  bool node_ = false, single_ = false;
  bool has_taken_ = false;  ///< a request was seen that it has accepted
  std::optional<ThreadView> before_;
  std::uint32_t queue_before_ = 0;
  bool asked_ = false;  ///< the connections have been looked at in this block
  int doubtful_looks_ = 0;
  Duration crept_{0}, silent_{0};  ///< of the clock: up to the last sign of life, and since
  Duration clock_{0}, wall_{0};
  std::optional<TimePoint> since_;
  static constexpr Duration kCpuSpan = std::chrono::seconds(1);
  CpuWindow cpu_{kCpuSpan};         ///< of the thread, during the block
  CpuWindow others_cpu_{kCpuSpan};  ///< of all other threads together
  VoteWindow votes_;
  HangFinding finding_;
};

}  // namespace codex
