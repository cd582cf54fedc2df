#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/changes/project_changes.h"
#include "agent/os/schedule.h"
#include "agent/policy/lifecycle.h"
#include "agent/policy/probe_tracker.h"
#include "agent/record/logger.h"
#include "agent/supervision/backend_tree.h"
#include "agent/text/redactor.h"

namespace codex {

/// Looks for what a pending start waits for (Lifecycle::awaiting()): a file to change, the database, the port.
/// Loop thread.
class AwaitedCondition {
 public:
  struct Hands {
    std::function<void()> ask_database;  ///< have its probes asked until end() is called
    std::function<void()> come;          ///< it has come
  };
  using MakeChanges = std::function<std::unique_ptr<ProjectChanges>(ProjectChanges::Events)>;

  /// `retry_interval`: how soon it is tried by the clock where an edit may be missed; 0: never. Everything
  /// outlives it.
  AwaitedCondition(std::string backend, Duration retry_interval, const std::vector<ProbeTracker>& probes,
                   const Lifecycle& lifecycle, Schedule& schedule, BackendTree& tree, Logger& log,
                   const Redactor& redactor, const MakeChanges& make_changes, Hands hands);

  /// Begins to look for what the lifecycle awaits now, if anything.
  void begin();
  /// Nothing is waited for any more.
  void end();
  /// A probe has been asked.
  void follow();

 private:
  void change_limited();
  void look();
  void come();

  std::string backend_;
  Duration retry_interval_;
  const std::vector<ProbeTracker>& probes_;
  const Lifecycle& lifecycle_;
  Schedule& schedule_;
  BackendTree& tree_;
  Logger& log_;
  const Redactor& redactor_;
  Hands hands_;
  std::unique_ptr<ProjectChanges> changes_;
  std::unique_ptr<Alarm> look_;
};

}  // namespace codex
