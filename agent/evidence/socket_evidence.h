#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/sockets/tcp_sockets.h"

namespace codex {

/// The TCP connections of some processes, with who waits for whom.
class SocketEvidence {
 public:
  /// Walks the kernel's tables of `network`. `owners`: socket inode -> pid, as their descriptors tell;
  /// `port`: where they listen, for connections that wait to be accepted. Throws std::system_error.
  SocketEvidence(std::map<std::uint64_t, int> owners, std::optional<std::uint16_t> port,
                 std::set<std::uint16_t> database_ports, NetworkNamespace network = {});

  /// {"connections":n,"not_accepted":n,"waiting":{"client":n,...},"shown":[{...}]}: those that wait first,
  /// the longest wait first; at most 200 are shown.
  [[nodiscard]] nlohmann::ordered_json to_json() const;

  /// "127.0.0.1:50312 -> 127.0.0.1:5432" for the connection with this inode; "" if it is none.
  [[nodiscard]] std::string describe(std::uint64_t inode) const;

  /// Local ports of the connections to databases.
  [[nodiscard]] std::set<std::uint16_t> database_client_ports() const;

 private:
  enum class Role { kClient, kDatabase, kUpstream };
  struct Connection {
    TcpSocket socket;
    int pid;
    Role role;
    std::optional<Duration> waits;  ///< somebody spoke last and was not answered for so long
  };
  [[nodiscard]] Role role_of(const TcpSocket& socket) const;
  void add(const TcpSocket& socket);

  std::map<std::uint64_t, int> owners_;
  std::optional<std::uint16_t> port_;
  std::set<std::uint16_t> database_ports_, served_ports_;
  std::vector<Connection> connections_;
  std::size_t not_accepted_ = 0;
};

}  // namespace codex
