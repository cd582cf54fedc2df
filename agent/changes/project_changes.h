#pragma once

#include <functional>
#include <string>

namespace codex {

/// Whether somebody has changed a file of a project. ChangeWatch looks at a real one.
class ProjectChanges {
 public:
  struct Events {
    std::function<void()> changed;  ///< the watch is stopped; may start() it again or destroy it
    std::function<void()> limited;  ///< limited() has something to say; may be empty; may stop() or destroy
  };
  virtual ~ProjectChanges() = default;

  /// Watches from now on, until the first change or stop(). Nothing if it does already.
  virtual void start() = 0;
  /// Forgets everything; `changed` is not called any more. Nothing if it is stopped.
  virtual void stop() = 0;
  /// "" or why changes may be missed, raw text for a person: then the caller should also try again by the
  /// clock. Kept until the next start().
  [[nodiscard]] virtual const std::string& limited() const = 0;
};

}  // namespace codex
