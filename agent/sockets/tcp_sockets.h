#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "agent/os/clock.h"
#include "agent/sockets/inet_diag.h"

namespace codex {

/// One end's address as the kernel keeps it: network byte order, IPv4 in the first word.
struct SocketAddress {
  bool ipv6 = false;
  std::array<std::uint32_t, 4> words{};
  std::uint16_t port = 0;  ///< host byte order

  /// From numeric text; "::" and "0.0.0.0" too. nullopt if it is no address.
  static std::optional<SocketAddress> parse(const std::string& address, std::uint16_t port);
  /// "127.0.0.1:5432", "[::1]:5432"; an IPv4-mapped IPv6 address as IPv4.
  [[nodiscard]] std::string text() const;
};

/// A TCP connection with the kernel's view of who spoke last (struct tcp_info). The ages have the grain of
/// the kernel's tick: equal ages say nothing about the order.
struct TcpSocket {
  SocketAddress local, remote;
  int state = 0;              ///< TCP_ESTABLISHED ... of netinet/tcp.h
  std::uint64_t inode = 0;    ///< socket:[inode] of /proc/PID/fd; 0: no process has it, i.e. not accepted yet
  std::uint64_t cookie = 0;   ///< identifies the connection for its whole life
  std::uint32_t unread = 0;   ///< bytes that arrived and were not read
  std::uint32_t unacked = 0;  ///< bytes written that the peer has not acknowledged
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  Duration since_sent{0}, since_received{0};
  Duration since_acked{0};  ///< since the peer acknowledged anything, with data or without
};

/// Connections that wait to be accepted.
struct AcceptQueue {
  std::uint32_t waiting = 0;
  std::uint32_t backlog = 0;  ///< as given to listen(2); the kernel takes one more

  /// A connection that comes now is not let in.
  [[nodiscard]] bool full() const { return waiting > backlog; }
};

/// How far a connection has got at the server's end.
enum class ServerEnd {
  kHandshake,  ///< the kernel keeps it back: its last step is missing, the queue is full, or the server wants
               ///< to hear of it only when it has said something (tcp(7), TCP_DEFER_ACCEPT)
  kQueued,     ///< it waits to be accepted
  kAccepted,   ///< a process owns it
};

/// Questions about single sockets, by look-up, and about all connections, by a walk. One thread. Throws
/// std::system_error when the kernel cannot be asked.
class TcpSockets {
 public:
  /// Asks about the sockets of `network`.
  explicit TcpSockets(NetworkNamespace network = {}) : diag_(std::move(network)) {}
  [[nodiscard]] const NetworkNamespace& network() const { return diag_.network(); }

  /// A listening socket's accept queue; nullopt if nobody listens at this very address. About 1 us.
  std::optional<AcceptQueue> accept_queue(const SocketAddress& local);

  /// How far the connection with these ends has got; nullopt if there is none. `local` is the server's end.
  /// About 1 us.
  std::optional<ServerEnd> server_end(const SocketAddress& local, const SocketAddress& remote);

  /// Visits all connections of one family that carry data (ESTABLISHED, CLOSE_WAIT) or are being opened
  /// (SYN_SENT), or LISTENing sockets. About 0.7 ms on an idle host, for the size of its table.
  enum class Which { kConnections, kListeners };
  void walk(bool ipv6, Which which, const std::function<void(const TcpSocket&)>& visit);

  /// The ports on which sockets listen whose inode is `owned`. About 20 us.
  std::set<std::uint16_t> listening_ports(const std::function<bool(std::uint64_t inode)>& owned);

 private:
  InetDiag diag_;
};

}  // namespace codex
