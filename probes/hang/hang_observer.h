#pragma once

#include <optional>
#include <set>
#include <string>

#include "agent/os/proc_files.h"
#include "agent/sockets/tcp_sockets.h"
#include "probes/hang/accept_probe.h"
#include "probes/hang/hang_depth.h"
#include "probes/hang/request_waits.h"
#include "probes/process/process_facts.h"
#include "probes/process/thread_files.h"

namespace codex {

/// Looks at one serving process from outside: no signal, no ptrace, nothing in the process. All of its
/// descriptors belong to that process; when it ends, so does the view. Loop thread.
class HangObserver {
 public:
  /// `server`: who listens on `port` of `network`, at `address` as the kernel tells it ("::", "127.0.0.1").
  /// Throws std::system_error if the kernel cannot be asked for sockets, or for want of descriptors.
  HangObserver(const ProcessId& server, const std::string& address, std::uint16_t port,
               std::set<std::uint16_t> database_ports, NetworkNamespace network = {});

  HangObservation look(const HangDepth& depth, TimePoint now);

  /// Where clients would connect to.
  [[nodiscard]] const SocketAddress& server() const { return server_; }

 private:
  void look_at_process(const HangDepth& depth, HangObservation& seen);
  void look_at_requests(const HangDepth& depth, HangObservation& seen);
  bool debugger_connected(TimePoint now);

  ProcessDirectory process_;
  ThreadFiles main_;
  TcpSockets sockets_;
  SocketAddress server_;
  bool listener_ipv6_;
  bool gone_ = false;
  AcceptProbe accept_probe_;
  ProcessFacts facts_;
  RequestWaits waits_;
  ProcessDirectory agent_;  ///< our own
  std::optional<TimePoint> looked_for_debugger_;
  bool debugger_connected_ = false;
};

}  // namespace codex
