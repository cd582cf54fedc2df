#pragma once

#include <sys/types.h>

#include <filesystem>

#include "agent/os/worker.h"

namespace codex {

/// Writes `pid` to `path` (atomically, mode 0644) on the Worker. A disk that refuses is ignored: the file
/// informs people, nothing is ever decided by it.
void write_pid_file(Worker& disk, const std::filesystem::path& path, pid_t pid);

/// Removes `path` if it still says `pid`; what somebody else wrote there stays.
void remove_pid_file(Worker& disk, const std::filesystem::path& path, pid_t pid);

}  // namespace codex
