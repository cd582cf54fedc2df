#pragma once

#include <optional>

#include "agent/os/process_id.h"
#include "agent/sockets/tcp_sockets.h"
#include "probes/hang/hang_depth.h"
#include "probes/hang/hang_observation.h"
#include "probes/process/process_facts.h"
#include "probes/process/thread_files.h"

namespace codex {

/// Looks at one serving process from outside: no signal, no ptrace, nothing in the process. All of its
/// descriptors belong to that process; when it ends, so does the view. Loop thread.
class ProcessObserver {
 public:
  /// `port`: on which it serves. Throws std::system_error for want of descriptors.
  ProcessObserver(const ProcessId& id, std::uint16_t port);

  [[nodiscard]] const ProcessId& id() const { return id_; }

  /// False when the process has ended.
  bool look(ThreadView& main) { return !gone_ && main_.look(main); }

  ProcessView look_closely(const HangDepth& depth, TcpSockets& sockets, TimePoint now);

  [[nodiscard]] std::set<std::uint64_t> socket_inodes() const { return process_.socket_inodes(); }

 private:
  bool debugger_connected(TcpSockets& sockets, TimePoint now);

  ProcessId id_;
  std::uint16_t port_;
  ProcessDirectory process_;
  ThreadFiles main_;
  ProcessFacts facts_;
  bool gone_ = false;
  std::optional<TimePoint> looked_for_debugger_;
  bool debugger_connected_ = false;
};

}  // namespace codex
