#pragma once

#include <filesystem>

#include "agent/os/unique_fd.h"

namespace codex {

/// Makes sure that one agent works in a state directory: a flock(2) on STATE_DIRECTORY/lock, held for life
/// and never inherited by a child. The file's first line is our pid, for people and for the CLI's messages;
/// nothing is ever signalled because of it.
class InstanceLock {
 public:
  /// Throws std::runtime_error that names the other agent if there is one.
  explicit InstanceLock(const std::filesystem::path& state_directory);

 private:
  UniqueFd file_;
};

}  // namespace codex
