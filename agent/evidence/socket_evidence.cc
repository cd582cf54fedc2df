#include "agent/evidence/socket_evidence.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostSockets = 200;

const char* state_name(int state) {
  switch (state) {
    case TCP_ESTABLISHED:
      return "established";
    case TCP_SYN_SENT:
      return "connecting";
    case TCP_CLOSE_WAIT:
      return "closed by the peer";
    default:
      return "other";
  }
}

/// Who spoke last waits. An outgoing connection that hears nothing back from its first byte on waits, too.
std::optional<Duration> wait_of(const TcpSocket& socket, bool incoming) {
  if (socket.state == TCP_SYN_SENT) return Duration{0};  // It has no ages yet.
  if (incoming) {
    const bool waits =
        socket.unread > 0 ||
        (socket.bytes_received > 0 && (socket.bytes_sent == 0 || socket.since_received < socket.since_sent));
    return waits ? std::optional(socket.since_received) : std::nullopt;
  }
  const bool waits =
      socket.bytes_sent > 0 && (socket.bytes_received == 0 || socket.since_sent < socket.since_received);
  return waits ? std::optional(socket.since_sent) : std::nullopt;
}

}  // namespace

SocketEvidence::SocketEvidence(std::map<std::uint64_t, int> owners, std::optional<std::uint16_t> port,
                               std::set<std::uint16_t> database_ports, NetworkNamespace network)
    : owners_(std::move(owners)), port_(port), database_ports_(std::move(database_ports)) {
  TcpSockets sockets(std::move(network));
  served_ports_ = sockets.listening_ports([this](std::uint64_t inode) { return owners_.contains(inode); });
  for (const bool ipv6 : {false, true}) {
    sockets.walk(ipv6, TcpSockets::Which::kConnections, [this](const TcpSocket& socket) { add(socket); });
  }
  std::stable_sort(connections_.begin(), connections_.end(), [](const Connection& a, const Connection& b) {
    return a.waits.value_or(Duration(-1)) > b.waits.value_or(Duration(-1));
  });
}

SocketEvidence::Role SocketEvidence::role_of(const TcpSocket& socket) const {
  const bool at_port = port_ && socket.local.port == *port_;
  if (at_port || served_ports_.contains(socket.local.port)) return Role::kClient;
  return database_ports_.contains(socket.remote.port) ? Role::kDatabase : Role::kUpstream;
}

void SocketEvidence::add(const TcpSocket& socket) {
  const bool at_port = port_ && socket.local.port == *port_ && socket.state != TCP_SYN_SENT;
  if (socket.inode == 0) {
    if (at_port) ++not_accepted_;
    return;
  }
  const auto owner = owners_.find(socket.inode);
  if (owner == owners_.end()) return;
  const Role role = role_of(socket);
  connections_.push_back({socket, owner->second, role, wait_of(socket, role == Role::kClient)});
}

Json SocketEvidence::to_json() const {
  constexpr std::pair<Role, const char*> kRoles[] = {
      {Role::kClient, "client"}, {Role::kDatabase, "database"}, {Role::kUpstream, "upstream"}};
  Json waiting = Json::object(), shown = Json::array();
  const auto name_of = [&](Role role) {
    return std::find_if(std::begin(kRoles), std::end(kRoles),
                        [&](const auto& entry) { return entry.first == role; })
        ->second;
  };
  for (const auto& [role, name] : kRoles) {
    waiting[name] = std::count_if(
        connections_.begin(), connections_.end(),
        [role = role](const Connection& connection) { return connection.role == role && connection.waits; });
  }
  for (const auto& connection : connections_) {
    if (shown.size() == kMostSockets) break;
    const auto& socket = connection.socket;
    shown.push_back(
        {{"role", name_of(connection.role)},
         {"local", socket.local.text()},
         {"remote", socket.remote.text()},
         {"state", state_name(socket.state)},
         {"pid", connection.pid},
         {"waits_seconds", connection.waits ? Json(to_seconds(*connection.waits)) : Json(nullptr)},
         {"unread_bytes", socket.unread},
         {"unacknowledged_bytes", socket.unacked},
         {"sent_bytes", socket.bytes_sent},
         {"received_bytes", socket.bytes_received},
         {"since_sent_seconds", to_seconds(socket.since_sent)},
         {"since_received_seconds", to_seconds(socket.since_received)}});
  }
  return {{"connections", connections_.size()},
          {"not_accepted", not_accepted_},
          {"waiting", std::move(waiting)},
          {"shown", std::move(shown)}};
}

std::string SocketEvidence::describe(std::uint64_t inode) const {
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [inode](const Connection& connection) { return connection.socket.inode == inode; });
  return found == connections_.end() ? "" : found->socket.local.text() + " -> " + found->socket.remote.text();
}

std::set<std::uint16_t> SocketEvidence::database_client_ports() const {
  std::set<std::uint16_t> ports;
  for (const auto& connection : connections_) {
    if (connection.role == Role::kDatabase) ports.insert(connection.socket.local.port);
  }
  return ports;
}

}  // namespace codex
