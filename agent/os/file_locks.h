#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

namespace codex {

/// The processes that took a flock(2) on a file with this inode number, in whatever file system: what the
/// kernel calls the device here is not what stat(2) does on btrfs and overlayfs. Whoever is in a pid
/// namespace that we cannot see is left out. A process may have ended since and left its lock to a child.
/// Reads /proc/locks (proc_locks(5)).
std::vector<pid_t> flock_holders(ino_t inode);

/// The same in the text of /proc/locks.
std::vector<pid_t> parse_flock_holders(std::string_view locks, ino_t inode);

}  // namespace codex
