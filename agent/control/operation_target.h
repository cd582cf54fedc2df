#pragma once

#include <string>
#include <vector>

#include "agent/policy/lifecycle.h"

namespace codex {

/// A backend as commands see it: what they ask of it, and by what they tell how it ended. Loop thread.
class OperationTarget {
 public:
  virtual ~OperationTarget() = default;

  /// What an operator wants from now on; the outcome shows in state() and cause(), then or later.
  virtual void start() = 0;
  virtual void stop() = 0;
  virtual void restart() = 0;

  [[nodiscard]] virtual const std::string& name() const = 0;
  /// How long it may take to start and to stop, and how often it is tried.
  [[nodiscard]] virtual LifecycleConfig limits() const = 0;
  /// As in Lifecycle.
  [[nodiscard]] virtual State state() const = 0;
  [[nodiscard]] virtual Cause cause() const = 0;
  [[nodiscard]] virtual bool desired_running() const = 0;
  /// The outcome of the last start or stop in one line, for the operator who asked for it.
  [[nodiscard]] virtual std::string summary() const = 0;
  /// The newest lines of what it wrote since it was started last, oldest first, safe to show.
  [[nodiscard]] virtual std::vector<std::string> last_output() const = 0;
  /// Differs whenever a client that waits should see something new.
  [[nodiscard]] virtual std::string progress() const = 0;
  /// What the last command has led to would survive the agent's death. Becomes true in a bounded time.
  [[nodiscard]] virtual bool saved() const = 0;
};

}  // namespace codex
