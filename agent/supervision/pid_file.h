#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "agent/os/worker.h"

namespace codex {

/// Writes `pid` to `path` (atomically, mode 0644) on the Worker, or removes the file for nullopt. A disk that
/// refuses is ignored: the file informs people, nothing is ever decided by it.
void write_pid_file(Worker& disk, const std::filesystem::path& path, std::optional<pid_t> pid);

}  // namespace codex
