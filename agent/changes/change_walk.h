#pragma once

#include <time.h>

#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/changes/change_scope.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// An inotify(7) descriptor that the loop reads and a Worker adds watches to.
struct Inotify {
  UniqueFd fd;
  std::atomic<bool> cancelled = false;  ///< a walk under way ends soon
};

/// What a walk has found.
struct ChangeWalk {
  std::vector<std::pair<int, ScopeDirectory>> watched;  ///< by watch descriptor
  bool changed = false;                                 ///< something has changed before it was watched
  bool full = false;                                    ///< there are more directories than allowed
  bool shortage =
      false;  ///< not everything was looked at for want of descriptors or memory: to be walked again
  std::string limited;  ///< "" or why else not everything is watched
};

/// Watches `begin` and everything below it that `scope` enters, at most `most` directories, nearest first. A
/// directory is watched first and read then, so whatever changes in it is either seen here or told by the
/// descriptor. `since`: files that have changed from then on (CLOCK_REALTIME) until now are a change; without
/// it, because the directories are new, every file is. May block: for a Worker.
ChangeWalk walk_and_watch(const Inotify& inotify, const ChangeScope& scope, std::deque<ScopeDirectory> begin,
                          std::size_t most, std::optional<timespec> since);

}  // namespace codex
