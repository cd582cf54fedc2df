#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "agent/os/event_loop.h"
#include "agent/process/process_tree.h"
#include "agent/sockets/sock_diag.h"

namespace codex {

/// Brings one tree down and proves it: "stopped" is reported only when no member lives and the port no longer
/// LISTENs.
///
/// Leaf first: the process that owns the listening socket gets the stop signal, alone, so that an application
/// under npm and nodemon sees exactly one; when it has gone, every other member gets it, once each. SIGCONT
/// follows, because a stopped process keeps a signal pending. kill() ends the patience. Loop thread.
class TreeStopper {
 public:
  struct Events {
    std::function<void(bool port_free)> empty;          ///< no member lives; false: a stranger has the port
    std::function<void(std::string signal)> signalled;  ///< a stop signal went out, for the counters
  };

  TreeStopper(EventLoop& loop, ProcessTree& tree, SockDiag& sock_diag, std::optional<std::uint16_t> port,
              Events events);

  /// Begins a graceful stop with `signal`; idempotent while one is under way.
  void stop(int signal);

  /// From now on SIGKILL, repeated until nothing is left.
  void kill();

  /// A member was reaped: looks again in the next turn of the loop, once for however many there were. Does
  /// nothing unless stopping.
  void member_gone();

  [[nodiscard]] bool killing() const { return active_ && killing_; }

  /// While killing does not help: "pid 4251 (node) is unkillable: waiting in fuse_wait (state D)".
  [[nodiscard]] std::string obstacle();

 private:
  void check();
  [[nodiscard]] std::set<ProcessId> owners_among(const std::vector<ProcStat>& members);
  void signal_whose_turn_it_is(const std::vector<ProcStat>& members);
  [[nodiscard]] bool port_is_given_up();

  EventLoop& loop_;
  ProcessTree& tree_;
  SockDiag& sock_diag_;
  std::optional<std::uint16_t> port_;
  Events events_;
  bool active_ = false, killing_ = false;
  bool port_free_ = false;  ///< nobody listens, as of the last look
  int signal_ = 0;
  std::optional<std::set<ProcessId>> owners_;  ///< who had the port when the stop began: signalled first
  std::set<ProcessId> signalled_;              ///< everybody who got the stop signal
  std::optional<TimePoint> empty_since_;
  Timer tick_;  // keep last
};

}  // namespace codex
