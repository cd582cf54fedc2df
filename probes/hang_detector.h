#pragma once

#include <map>
#include <optional>
#include <string>

#include "probes/blocked_loop.h"
#include "probes/hang_observer.h"
#include "probes/overload.h"
#include "probes/stuck_requests.h"
#include "probes/stuck_start.h"

namespace codex {

/// What the detector holds true after a look.
///
///   healthy    nothing speaks for a hang, or we cannot tell
///   suspect    no progress for a quarter of a second (loop), for longer than is usual (requests)
///   confirmed  still none, and enough looks in a row agree on the class
///
/// Any progress leads back to healthy. Confirmed is no order to restart: a long synchronous task confirms
/// too.
struct HangVerdict {
  enum class State { kHealthy, kSuspect, kConfirmed };
  State state = State::kHealthy;
  std::optional<HangClass> hang;   ///< of the newest vote while suspect, of the majority once confirmed
  std::string why;                 ///< one line for a person
  std::optional<TimePoint> since;  ///< when progress ended
  Duration clock{0};       ///< how long it lasts, CPU-honest: a host without CPU or asleep does not count
  bool debugger = false;   ///< a debugger is attached: nothing may be done
  int probe_failures = 0;  ///< of the HTTP probe, in a row
};

/// Which observations speak for a hang at the moment, each on its own.
struct HangSignals {
  bool accept_queue = false;     ///< connections wait to be accepted
  bool event_loop = false;       ///< it has not accepted any for a while, though some wait
  bool cpu = false;              ///< the thread runs all the while
  bool uninterruptible = false;  ///< the thread waits for a disk
  bool stopped = false;          ///< the process is stopped
  bool descriptors = false;      ///< nearly none are left
  bool http_probe = false;       ///< the last answer was a failure
  bool requests = false;         ///< they wait for longer than is usual
};

std::string_view to_string(HangVerdict::State state);  ///< "healthy" "suspect" "confirmed"

/// Pure: no clock, no I/O. One for each backend; forget() between its processes.
class HangDetector {
 public:
  const HangVerdict& observe(const HangObservation& seen);

  /// Another process serves now. What was learned of the backend stays, of the process not.
  void forget();

  /// A start took this long until the backend listened.
  void learn_start(Duration elapsed);

  [[nodiscard]] const HangVerdict& verdict() const { return verdict_; }

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
  HangVerdict judge(const HangObservation& seen) const;
  [[nodiscard]] HangSignals read_signals(const HangObservation& seen) const;
  HangVerdict judge_loop() const;
  HangVerdict judge_requests() const;
  HangVerdict judge_start(const HangObservation& seen) const;

  BlockedLoop loop_;
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
  HangVerdict verdict_;
  HangSignals signals_;
};

}  // namespace codex
