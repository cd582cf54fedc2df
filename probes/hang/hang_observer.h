#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/os/process_stat.h"
#include "agent/sockets/tcp_sockets.h"
#include "probes/hang/accept_probe.h"
#include "probes/hang/hang_depth.h"
#include "probes/hang/process_observer.h"
#include "probes/hang/request_waits.h"
#include "probes/hang/serving_group.h"

namespace codex {

/// Looks from outside at the port of a backend and at the processes that serve it. Loop thread.
class HangObserver {
 public:
  /// `server`: who listens on `port` of `network`, at `address` as the kernel tells it ("::", "127.0.0.1").
  /// Who else serves there is found among `members`. Throws std::system_error if the kernel cannot be asked
  /// for sockets, or for want of descriptors.
  HangObserver(const ProcessId& server, const std::string& address, std::uint16_t port,
               std::set<std::uint16_t> database_ports, std::function<std::vector<ProcStat>()> members,
               NetworkNamespace network = {});

  HangObservation look(const HangDepth& depth, TimePoint now);

  /// Where clients would connect to.
  [[nodiscard]] const SocketAddress& server() const { return server_; }

 private:
  void follow_group(TimePoint now);
  [[nodiscard]] Duration group_period(const HangDepth& depth, TimePoint now) const;
  bool look_at_workers(const HangDepth& depth, HangObservation& seen);
  void look_at_requests(const HangDepth& depth, HangObservation& seen);
  void share_out(HangObservation& seen) const;

  TcpSockets sockets_;
  SocketAddress server_;
  bool listener_ipv6_;
  std::uint16_t port_;
  AcceptProbe accept_probe_;
  RequestWaits waits_;
  ProcessDirectory agent_;  ///< our own
  ServingGroup group_;
  std::optional<TimePoint> looked_for_group_;
  TimePoint group_changed_{};
  std::vector<std::unique_ptr<ProcessObserver>> workers_;  ///< at least one, until all have ended
};

}  // namespace codex
