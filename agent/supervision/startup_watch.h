#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/os/schedule.h"
#include "agent/policy/probe_tracker.h"
#include "agent/policy/startup.h"
#include "agent/supervision/backend_tree.h"

namespace codex {

/// Says when a start counts as complete: when it has been executed, listens, and its probes answer. Between
/// begin() and end() it looks at the port by itself, often; the rest it is told. Loop thread.
class StartupWatch {
 public:
  struct Events {
    std::function<void()> listens;    ///< one of ours has the port; again with every look until it is over
    std::function<void()> reachable;  ///< now the probes that ask the backend can succeed
    std::function<void()> ready;      ///< all conditions are met
    std::function<void()> followed;   ///< it has been looked at; last
  };
  /// `probes` has those of `config`, in their order. Everything outlives it.
  StartupWatch(const BackendConfig& config, const std::vector<ProbeTracker>& probes, Schedule& schedule,
               BackendTree& tree, Events events);

  /// A start begins. `resumed`: what is taken over had been ready, so that it is judged as running soon, also
  /// while its database is down.
  void begin(bool resumed = false);
  /// The command has been executed.
  void executed();
  /// Something has changed: looks whether that completes it. Nothing unless one is under way.
  void follow();
  /// What became of the start is known; nothing is looked at any more.
  void end();
  /// Forgets it.
  void forget();

  [[nodiscard]] bool under_way() const { return under_way_; }
  /// The phase under way; nullopt without one.
  [[nodiscard]] std::optional<StartupPhase> waiting_for() const;
  /// Seconds of the phases that ended.
  [[nodiscard]] std::vector<std::pair<std::string, double>> phases() const;
  [[nodiscard]] Duration elapsed() const { return startup_ ? startup_->elapsed() : Duration{0}; }

  /// Why it ran into its timeout, as a sentence; `hang`: what it was found to do instead, or "".
  [[nodiscard]] std::string describe_timeout(const std::string& hang) const;

  /// `startup` of a snapshot, while one is under way.
  void fill(StartupSnapshot& snapshot) const;

 private:
  [[nodiscard]] bool resumed_is_known() const;

  const BackendConfig& config_;
  const std::vector<ProbeTracker>& probes_;
  Schedule& schedule_;
  BackendTree& tree_;
  Events events_;
  std::optional<Startup> startup_;
  TimePoint begun_at_{};
  bool under_way_ = false;
  bool resumed_ = false;
  std::unique_ptr<Alarm> listen_;
};

}  // namespace codex
