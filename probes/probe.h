#pragma once

#include <functional>

#include "agent/os/clock.h"
#include "probes/probe_result.h"

namespace codex {

/// One question to a backend or a dependency. Knows no schedule, threshold, metric or log. Loop thread.
class Probe {
 public:
  using Done = std::function<void(const ProbeResult&)>;
  virtual ~Probe() = default;

  /// Asks once. `done` is called exactly once, on the loop, never from inside start(), at the latest shortly
  /// after `deadline`. Must not be called while an attempt is under way. Never throws: trouble is a result.
  virtual void start(TimePoint deadline, Done done) = 0;

  /// Gives the attempt up; `done` is not called any more. Closes whatever is open.
  virtual void cancel() = 0;
};

}  // namespace codex
