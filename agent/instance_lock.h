#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "agent/os/clock.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// Makes sure that one agent works for a project: a flock(2) on STATE_DIRECTORY/lock, and one on the project
/// directory itself, which nobody can delete from under us; both held for life and never inherited by a
/// child. The directory's lock counts only if our own user or root has it, for everybody who may read a
/// directory may lock it. The lock file's first line is our pid, for people and for the CLI's messages;
/// nothing is ever signalled because of it.
class InstanceLock {
 public:
  /// What to do about an agent that is there already: it is asked to hand over, and we wait for it to end.
  struct Takeover {
    std::function<void()> request;  ///< throws std::runtime_error if it does not agree
    Duration patience{};
  };

  /// Throws std::runtime_error that names the other agent if there is one and it does not go. Blocks while a
  /// takeover is under way.
  InstanceLock(const std::filesystem::path& state_directory, const std::filesystem::path& project_directory,
               const std::optional<Takeover>& takeover);

  /// Writes the lock file anew after somebody has removed it. Throws std::runtime_error.
  void renew();

 private:
  std::filesystem::path state_directory_;
  UniqueFd project_, file_;
};

}  // namespace codex
