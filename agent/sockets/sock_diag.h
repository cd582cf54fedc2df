#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agent/sockets/inet_diag.h"

namespace codex {

/// A TCP socket in LISTEN state (sock_diag(7), inet_diag).
struct Listener {
  std::string address;  ///< numeric, e.g. "127.0.0.1", "::"
  std::uint16_t port = 0;
  bool ipv6 = false;
  std::uint64_t inode = 0;  ///< socket:[inode] of /proc/PID/fd
  std::uint32_t uid = 0;
  std::uint32_t accept_queue = 0;  ///< connections that wait to be accepted
  std::uint32_t backlog = 0;       ///< most that may wait
};

/// Asks the kernel for listening sockets through one netlink socket. Walks the listening hash only
/// (TCPF_LISTEN), so its cost does not grow with the number of connections. Loop thread.
class SockDiag {
 public:
  /// Asks about the sockets of `network`. Throws std::system_error if that may not be entered.
  explicit SockDiag(NetworkNamespace network = {}) : diag_(std::move(network)) {}
  [[nodiscard]] const NetworkNamespace& network() const { return diag_.network(); }

  /// All listeners on `port`, IPv4 and IPv6. Throws std::system_error when the kernel cannot be asked.
  std::vector<Listener> listeners(std::uint16_t port);

 private:
  InetDiag diag_;
};

}  // namespace codex
