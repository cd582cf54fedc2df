#pragma once

#include <cstdint>
#include <map>

#include "agent/os/proc_files.h"
#include "agent/os/unique_fd.h"
#include "probes/process/process_directory.h"

namespace codex {

/// Context switches by kind (getrusage(2) ru_nvcsw, ru_nivcsw).
struct Switches {
  std::uint64_t voluntary = 0;
  std::uint64_t involuntary = 0;
};

/// What one sample of a whole tree may spend on threads.
struct ThreadBudget {
  int reads = 2'000;
  int kept_fds = 128;      ///< left for descriptors that stay open between samples
  bool exhausted = false;  ///< threads were left out
};

/// Counts the context switches of one process over its threads' ends: /proc has them per live thread only,
/// so their plain sum falls when a thread ends. Loop thread.
///
/// Most threads sleep, and composing a status text costs eight times a schedstat. So schedstat is kept open
/// where the budget allows, and status is only read if the thread was on a CPU since: its last switch away
/// may be counted one sample late. The descriptor also tells a thread from a later one with the same id;
/// without it, a count that went down does.
class ContextSwitches {
 public:
  /// Adds to `total` what happened since the last call. `leader_status` is the main thread's, already read;
  /// `thread_count` is field 20 of stat. Threads that end meanwhile are left out.
  void sample(ProcessDirectory& process, pid_t leader, const ProcStatus& leader_status,
              std::uint64_t thread_count, ThreadBudget& budget, Switches& total);

  [[nodiscard]] int kept_fds() const;

 private:
  struct Thread {
    UniqueFd schedstat;
    std::uint64_t runs = 0;  // third number of schedstat; 0 if the kernel does not count
    Switches last;
    bool present = false;
  };
  static bool slept(ProcessDirectory& process, Thread& thread, ThreadBudget& budget);
  void sample_thread(ProcessDirectory& process, pid_t tid, ThreadBudget& budget, Switches& total);
  void forget_ended(ThreadBudget& budget);

  Switches leader_;
  std::map<pid_t, Thread> others_;
};

}  // namespace codex
