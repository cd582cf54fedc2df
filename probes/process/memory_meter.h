#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/os/process_stat.h"

namespace codex {

/// How the memory of a tree was told.
enum class MemorySource {
  kResident,      ///< the sum of resident memory: shared pages once a process, so that it is an upper bound
  kProportional,  ///< the sum of proportional set sizes: shared pages once
  kCgroup,        ///< memory.current of the tree's own cgroup without the inactive file cache
};
std::string_view to_string(MemorySource source);

/// What a tree uses, the one figure that a limit is compared with.
struct UsedMemory {
  std::uint64_t bytes = 0;
  MemorySource source = MemorySource::kResident;
};

/// Tells what a tree really uses, and how dearly it may find out. The kernel walks all page tables of a process
/// for its proportional set size, so that is read only where a limit makes it matter: while resident memory is
/// above half of it. Then at most at every second look, and the more rarely the longer it takes: 1 % of a core
/// where looks are a second apart. Loop thread.
class MemoryMeter {
 public:
  explicit MemoryMeter(std::optional<std::uint64_t> limit_bytes) : limit_(limit_bytes) {}

  /// What is known already, for a look.
  struct Known {
    std::uint64_t resident_bytes = 0;
    std::optional<std::uint64_t> proportional_bytes;  ///< measured in this look for its own sake
    std::optional<std::uint64_t> cgroup_bytes;
  };
  /// `proc_root`: descriptor of /proc. A process whose maps may not be read counts with its resident memory.
  UsedMemory measure(int proc_root, const std::vector<ProcStat>& members, const Known& known);

 private:
  std::optional<std::uint64_t> limit_;
  std::optional<std::uint64_t> proportional_;  ///< as last read
  std::uint64_t looks_to_skip_ = 0;
};

}  // namespace codex
