#pragma once

#include <sys/resource.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/proc_files.h"
#include "agent/os/unique_fd.h"
#include "probes/process/conserved_counter.h"
#include "probes/process/context_switches.h"
#include "probes/process/memory_meter.h"
#include "probes/process/process_directory.h"

namespace codex {

struct CpuTime {
  double user_seconds = 0;
  double system_seconds = 0;
};

/// What a process tree uses. Gauges describe this moment; counters only grow while their ProcessUsage lives,
/// over restarts of the tree too.
struct TreeUsage {
  std::uint64_t processes = 0;
  std::uint64_t threads = 0;
  /// running sleeping disk_sleep stopped zombie idle other: all present.
  std::map<std::string, std::uint64_t> states;
  std::uint64_t resident_bytes = 0;  ///< shared pages counted once a process
  std::uint64_t virtual_bytes = 0;
  std::uint64_t swap_bytes = 0;
  std::optional<std::uint64_t> proportional_bytes;  ///< only if asked for and readable
  UsedMemory used_memory;                           ///< what it really uses, as well as is known
  std::uint64_t open_fds = 0;
  double worst_fd_ratio = 0;  ///< highest open / soft limit of any process

  CpuTime cpu;  ///< counter, including exited and reaped descendants
  /// Counters, storage I/O; nullopt unless io_readable.
  std::optional<std::uint64_t> read_bytes, written_bytes;
  std::uint64_t major_faults = 0, minor_faults = 0;                ///< counters
  std::uint64_t voluntary_switches = 0, involuntary_switches = 0;  ///< counters

  bool io_readable = true;        ///< false: /proc/PID/io of some process is not for us (EACCES)
  std::uint64_t read_errors = 0;  ///< counter; a process that ended meanwhile is no error
  bool truncated = false;  ///< the tree was too large: memory, CPU and faults are whole, the rest is partial
};

/// Measures the process tree of one backend from /proc. Loop thread.
///
/// A sample costs about 15 us a process and less than 1 us a sleeping thread on top of the walk that found
/// the members.
class ProcessUsage {
 public:
  /// `collect_pss`: also read smaps_rollup, about 200 us more for a node process.
  /// `memory_limit`: near it the tree's memory is told more exactly, see MemoryMeter.
  /// `proc_root`: for tests; without a readable root every process counts as a read error, nothing throws.
  /// Throws std::system_error for want of descriptors: the root is opened once.
  explicit ProcessUsage(bool collect_pss = false, const std::filesystem::path& proc_root = "/proc",
                        std::optional<std::uint64_t> memory_limit = std::nullopt);

  /// `members`: stat of the tree's processes, read just now (descendants_of); empty when nothing runs: then
  /// gauges are 0 and counters keep their value. Members are known again by pid and start time.
  /// `cgroup_cpu`: cpu.stat of the backend's own cgroup. Whether it is there at the first sample with members
  /// decides for good where CPU time comes from. `cgroup_memory`: what that cgroup uses, where it is counted.
  TreeUsage sample(const std::vector<ProcStat>& members, std::optional<CpuTime> cgroup_cpu = std::nullopt,
                   std::optional<std::uint64_t> cgroup_memory = std::nullopt);

  /// What wait4(2) told of a process of the tree that the agent itself reaped; call before the next sample.
  /// It covers the process and the children it waited for.
  void add_reaped(const rusage& usage);

 private:
  enum Quantity { kUser, kSystem, kMinorFaults, kMajorFaults, kRead, kWritten, kQuantities };
  enum class CpuSource { kUndecided, kProc, kCgroup };

  /// What was already counted: the process's own part and its children's.
  struct Tally {
    std::uint64_t own = 0;
    std::uint64_t children = 0;
  };
  struct Known {
    explicit Known(std::uint64_t sequence) : first_seen(sequence) {}
    std::array<Tally, kQuantities> tallies{};
    ContextSwitches switches;
    std::optional<std::uint64_t> fd_limit;
    std::uint64_t samples = 0;
    std::uint64_t first_seen;     // sequence_ of that sample
    std::uint64_t last_seen = 0;  // likewise
  };

  void count_stat(const ProcStat& stat, Known& known);
  void count(Quantity quantity, Known& known, std::uint64_t own, std::uint64_t children);
  void look_inside(const ProcStat& stat, Known& known, ThreadBudget& budget, TreeUsage& usage);
  void measure_fds(ProcessDirectory& process, Known& known, TreeUsage& usage);
  void measure_io(ProcessDirectory& process, Known& known);
  void measure_pss(ProcessDirectory& process, TreeUsage& usage);
  void settle_missing(TreeUsage& usage);
  std::optional<ProcStat> still_there(const ProcessId& id);
  [[nodiscard]] CpuTime cpu_of_proc() const;
  CpuTime cpu(bool running, const std::optional<CpuTime>& cgroup_cpu);
  void note_error();

  UniqueFd root_;
  bool collect_pss_;
  bool fd_size_is_count_;
  MemoryMeter memory_;
  std::uint64_t sequence_ = 0;
  std::map<ProcessId, Known> known_;
  std::array<ConservedCounter, kQuantities> counters_;
  Switches switches_;
  bool io_readable_ = true;
  std::uint64_t read_errors_ = 0;
  CpuSource cpu_source_ = CpuSource::kUndecided;
  CpuTime cgroup_last_, cpu_published_;
};

}  // namespace codex
