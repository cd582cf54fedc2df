#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/os/clock.h"
#include "agent/os/process_id.h"
#include "probes/hang/hang_class.h"

namespace codex {

/// What the detector holds true after a look.
///
///   healthy    nothing speaks for a hang, or we cannot tell
///   suspect    no progress for a quarter of a second (loop), for longer than is usual (requests)
///   confirmed  still none, and enough looks in a row agree on the class
///
/// Two seconds of progress lead back to healthy (HangCourse). Confirmed is no order to restart: a long
/// synchronous task confirms too.
struct HangVerdict {
  enum class State { kHealthy, kSuspect, kConfirmed };
  State state = State::kHealthy;
  std::optional<HangClass> hang;   ///< of the newest vote while suspect, of the majority once confirmed
  std::string why;                 ///< one line for a person
  std::optional<TimePoint> since;  ///< when progress ended
  Duration clock{0};      ///< how long it lasts, CPU-honest: a host without CPU or asleep does not count
  bool debugger = false;  ///< a debugger is attached: nothing may be done
  std::optional<int> unanswered_probes;  ///< in a row, of the HTTP probe; nullopt without one
};

std::string_view to_string(HangVerdict::State state);  ///< "healthy" "suspect" "confirmed"

/// One of several processes that serve a port makes no progress.
struct StuckWorker {
  ProcessId id;
  HangClass hang{};
  std::string why;
  TimePoint since{};
  Duration clock{0};
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

}  // namespace codex
