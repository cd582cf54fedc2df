#pragma once

#include <optional>

#include "agent/sockets/tcp_sockets.h"
#include "probes/hang/hang_observation.h"

namespace codex {

/// Asks a server's event loop for a sign of life without a request: connects, sends nothing, and looks in the
/// kernel's table whether the server's end was accepted. No handler runs and nothing is logged. At most one
/// connection is open at a time; it is closed with FIN. Never blocks. Loop thread.
///
/// A server with TCP_DEFER_ACCEPT (tcp(7): Apache, nginx `deferred`, Bun ...) does not hear of a silent
/// connection for a second to minutes, so that it cannot be asked in this way. Such a probe is closed as soon
/// as that is clear, and the next ones come more and more rarely: the server may be another one by then. The
/// closing alone lets it into the accept queue, where a server that does accept takes it out.
class AcceptProbe {
 public:
  explicit AcceptProbe(TcpSockets& sockets) : sockets_(sockets) {}

  /// Connects, unless a probe is open or the last one began less than a pause ago: kPause, twice as long
  /// after each that told nothing bad, kLongestPause at most; kPause again when one has had to wait, or none
  /// was wanted for a while.
  void begin(const SocketAddress& server, TimePoint now);
  static constexpr Duration kPause = std::chrono::milliseconds(500);
  static constexpr Duration kLongestPause = std::chrono::seconds(30);
  static constexpr Duration kHasToWait = std::chrono::milliseconds(250);

  /// What became of it. Accepted, dropped and refused probes are told once and closed; so is one that has
  /// been deferred for kDeferred, which no handshake on this host takes.
  AcceptProbeView look(TimePoint now);
  static constexpr Duration kDeferred = std::chrono::milliseconds(50);

  void cancel() { socket_.reset(); }

 private:
  [[nodiscard]] AcceptProbeView::State find_out() const;
  [[nodiscard]] bool is_deferred() const;
  void learn(const AcceptProbeView& view);

  TcpSockets& sockets_;
  UniqueFd socket_;
  bool refused_ = false;
  bool deferred_ = false;  ///< the last that told something was
  SocketAddress server_, own_;
  std::optional<TimePoint> began_;
  Duration pause_ = kPause;
};

}  // namespace codex
