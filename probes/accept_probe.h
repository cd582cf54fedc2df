#pragma once

#include <optional>

#include "agent/os/tcp_sockets.h"
#include "probes/hang_observation.h"

namespace codex {

/// Asks a server's event loop for a sign of life without a request: connects, sends nothing, and looks in the
/// kernel's table whether the server's end was accepted. No handler runs and nothing is logged. At most one
/// connection is open at a time; it is closed with FIN. Never blocks. Loop thread.
class AcceptProbe {
 public:
  explicit AcceptProbe(TcpSockets& sockets) : sockets_(sockets) {}

  /// Connects, unless a probe is open or the last one began less than kPause ago.
  void begin(const SocketAddress& server, TimePoint now);
  static constexpr Duration kPause = std::chrono::milliseconds(500);

  /// What became of it. Accepted, dropped and refused probes are told once and closed.
  AcceptProbeView look(TimePoint now);

  void cancel() { socket_.reset(); }

 private:
  [[nodiscard]] AcceptProbeView::State find_out() const;

  TcpSockets& sockets_;
  UniqueFd socket_;
  bool refused_ = false;
  SocketAddress server_, own_;
  std::optional<TimePoint> began_;
};

}  // namespace codex
