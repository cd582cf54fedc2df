#pragma once

#include <map>
#include <string>
#include <string_view>

#include "probes/process/process_directory.h"
#include "probes/process/process_view.h"

namespace codex {

/// Settings of a Node program that matter to a look from outside, from its command line and NODE_OPTIONS.
struct NodeSettings {
  std::uint64_t heap_limit_bytes = 0;  ///< of --max-old-space-size, else V8's default; 0: not Node
  int pool_size = 0;                   ///< UV_THREADPOOL_SIZE, else libuv's 4; 0: not Node
  bool inspector = false;              ///< --inspect and its kin
};

/// Both texts NUL-separated, as in /proc/PID/cmdline and environ. Pure.
NodeSettings parse_node_settings(std::string_view cmdline, std::string_view environ_text,
                                 std::uint64_t memory_bytes);

/// The closer look at the serving process: everything of a ProcessView that a few reads of /proc tell. One
/// thread.
class ProcessFacts {
 public:
  /// Throws std::system_error for want of descriptors: its settings are read once and for all.
  explicit ProcessFacts(pid_t pid);

  /// Tracer, children, descriptors and memory: about 15 us.
  void look(ProcessDirectory& process, ProcessView& view);

  /// The other threads, too: who works, and who sits in one call: about 6 us a thread.
  void look_at_threads(ProcessDirectory& process, TimePoint now, ProcessView& view);

  [[nodiscard]] const NodeSettings& settings() const { return settings_; }

 private:
  struct Worker {
    std::string call;  ///< the system call with all its arguments
    std::uint64_t cpu_nanos = 0;
    TimePoint since{};
    bool seen = false;
  };
  bool sits(ProcessDirectory& process, pid_t tid, TimePoint now, ProcessView& view);

  pid_t pid_;
  NodeSettings settings_;
  bool fd_size_is_count_;
  std::uint64_t fd_limit_ = 0;
  int looks_ = 0;
  std::map<pid_t, Worker> workers_;
};

}  // namespace codex
