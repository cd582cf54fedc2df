#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/os/schedule.h"
#include "agent/record/logger.h"
#include "agent/record/standing_troubles.h"
#include "agent/record/state_file.h"
#include "agent/supervision/backend_tree.h"
#include "agent/supervision/report.h"

namespace codex {

/// How a backend's processes are brought up, one generation after the other: by a spawn, or as what an earlier
/// agent left. Loop thread.
class BackendProcess {
 public:
  struct Events {
    std::function<void()> begins;                   ///< a generation is about to begin: forget the last one
    std::function<void()> begun;                    ///< its leader lives
    std::function<void(const ExitStatus&)> exited;  ///< the leader, after that was recorded
    std::function<void(const Report&)> reported;    ///< it does not; or what followed
  };
  /// `earlier`: what the last agent wrote down. Everything outlives it.
  BackendProcess(std::string backend, std::optional<SavedBackend> earlier, Schedule& schedule,
                 BackendTree& tree, StandingTroubles& troubles, BackendRecord& record, Logger& log,
                 Events events);

  /// Starts the next generation, unless a stranger has the port. Throws std::logic_error while anything of
  /// the last one lives, and std::system_error when it cannot be tried.
  void spawn();

  /// Takes the newest leftover over. What cannot be looked at right now is tried again soon; what has ended
  /// meanwhile is reported.
  void adopt();

  /// An adopt() that waits to be tried again is not wanted any more.
  void give_up_adopting() { adopt_again_->disarm(); }

  /// Its start is complete.
  void ready();
  /// Nothing runs any more.
  void ended();

  /// The tree's events.
  void spawn_failed(const SpawnError& error);
  void leader_exited(const ExitStatus& status);
  void tree_empty(bool port_free);

  /// What lives can be taken over: it has a leader, and nobody has told it to end.
  [[nodiscard]] bool adoptable() { return !told_to_end_ && tree_.adoptable().has_value(); }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  /// The present generation was started by an earlier agent ...
  [[nodiscard]] bool adopted() const { return adopted_; }
  /// ... and its start had been completed then.
  [[nodiscard]] bool adopted_ready() const { return adopted_ready_; }
  /// For the next agent, so that it tells the same of what it takes over: generation, times.
  void save(SavedBackend& saved) const;
  /// Generation, times.
  void fill(BackendSnapshot& snapshot) const;

 private:
  [[nodiscard]] const SavedBackend* earlier(std::uint64_t generation) const;
  [[nodiscard]] bool was_ready(const ProcessTree::Adoptable& leftover);

  std::string backend_;
  std::optional<SavedBackend> earlier_;
  Schedule& schedule_;
  BackendTree& tree_;
  StandingTroubles& troubles_;
  BackendRecord& record_;
  Logger& log_;
  Events events_;
  std::uint64_t generation_ = 0;
  std::optional<WallTime> started_at_;
  std::optional<TimePoint>
      running_since_;  ///< since it is ready; of an adopted one since its start, if only that is known
  bool adopted_ = false, adopted_ready_ = false;
  bool told_to_end_ = false;   ///< by an earlier agent: what lives is not to be taken over
  bool port_is_free_ = false;  ///< it was looked at in this very step
  std::unique_ptr<Alarm> adopt_again_;
};

}  // namespace codex
