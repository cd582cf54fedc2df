#include "agent/sockets/tcp_sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>

#include <algorithm>
#include <cstring>

namespace codex {

namespace {

// As in net/tcp_states.h; <netinet/tcp.h> has them too, but cannot be included together with <linux/tcp.h>,
// which alone has the whole struct tcp_info.
constexpr int kEstablished = 1, kSynSent = 2, kSynReceived = 3, kCloseWait = 8, kListen = 10;
constexpr std::uint32_t kMappedMark = 0x0000FFFF;  // third word of ::ffff:a.b.c.d, host order

inet_diag_req_v2 question_about(bool ipv6, std::uint32_t states) {
  inet_diag_req_v2 question{};
  question.sdiag_family = ipv6 ? AF_INET6 : AF_INET;
  question.sdiag_protocol = IPPROTO_TCP;
  question.idiag_states = states;
  question.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  question.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return question;
}

SocketAddress to_address(bool ipv6, const __be32* words, __be16 port) {
  SocketAddress address;
  address.ipv6 = ipv6;
  std::copy_n(words, ipv6 ? 4 : 1, address.words.begin());
  address.port = ntohs(port);
  return address;
}

/// The TCP_INFO among the attributes, as much of it as this kernel knows.
tcp_info find_tcp_info(std::string_view attributes) {
  tcp_info info{};
  rtattr attribute{};
  while (attributes.size() >= sizeof attribute) {
    std::memcpy(&attribute, attributes.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > attributes.size()) break;
    if (attribute.rta_type == INET_DIAG_INFO) {
      const auto length = std::min<std::size_t>(attribute.rta_len - sizeof attribute, sizeof info);
      std::memcpy(&info, attributes.data() + sizeof attribute, length);
    }
    attributes.remove_prefix(std::min<std::size_t>(attributes.size(), NLMSG_ALIGN(attribute.rta_len)));
  }
  return info;
}

TcpSocket to_socket(const inet_diag_msg& message, std::string_view attributes) {
  const bool ipv6 = message.idiag_family == AF_INET6;
  const auto info = find_tcp_info(attributes);
  TcpSocket socket;
  socket.local = to_address(ipv6, message.id.idiag_src, message.id.idiag_sport);
  socket.remote = to_address(ipv6, message.id.idiag_dst, message.id.idiag_dport);
  socket.state = message.idiag_state;
  socket.inode = message.idiag_inode;
  socket.cookie = std::uint64_t{message.id.idiag_cookie[1]} << 32 | message.id.idiag_cookie[0];
  socket.unread = message.idiag_rqueue;
  socket.unacked = message.idiag_wqueue;
  socket.bytes_sent = info.tcpi_bytes_sent;
  socket.bytes_received = info.tcpi_bytes_received;
  socket.since_sent = std::chrono::milliseconds(info.tcpi_last_data_sent);
  socket.since_received = std::chrono::milliseconds(info.tcpi_last_data_recv);
  socket.since_acked = std::chrono::milliseconds(info.tcpi_last_ack_recv);
  return socket;
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(const std::string& address, std::uint16_t port) {
  SocketAddress parsed;
  parsed.port = port;
  parsed.ipv6 = address.find(':') != std::string::npos;
  const int family = parsed.ipv6 ? AF_INET6 : AF_INET;
  if (::inet_pton(family, address.c_str(), parsed.words.data()) != 1) return std::nullopt;
  return parsed;
}

std::string SocketAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  const bool mapped = ipv6 && words[0] == 0 && words[1] == 0 && ntohl(words[2]) == kMappedMark;
  if (ipv6 && !mapped) {
    ::inet_ntop(AF_INET6, words.data(), buffer, sizeof buffer);
    return "[" + std::string(buffer) + "]:" + std::to_string(port);
  }
  ::inet_ntop(AF_INET, &words[mapped ? 3 : 0], buffer, sizeof buffer);
  return std::string(buffer) + ":" + std::to_string(port);
}

std::optional<AcceptQueue> TcpSockets::accept_queue(const SocketAddress& local) {
  auto question = question_about(local.ipv6, ~0U);
  std::copy(local.words.begin(), local.words.end(), question.id.idiag_src);
  question.id.idiag_sport = htons(local.port);
  std::optional<AcceptQueue> queue;
  diag_.find(question, [&queue](const inet_diag_msg& message, std::string_view) {
    if (message.idiag_state == kListen) queue = AcceptQueue{message.idiag_rqueue, message.idiag_wqueue};
  });
  return queue;
}

std::optional<ServerEnd> TcpSockets::server_end(const SocketAddress& local, const SocketAddress& remote) {
  auto question = question_about(local.ipv6, ~0U);
  std::copy(local.words.begin(), local.words.end(), question.id.idiag_src);
  std::copy(remote.words.begin(), remote.words.end(), question.id.idiag_dst);
  question.id.idiag_sport = htons(local.port);
  question.id.idiag_dport = htons(remote.port);
  std::optional<ServerEnd> end;
  diag_.find(question, [&](const inet_diag_msg& message, std::string_view) {
    // Without the connection the kernel answers with the listener.
    if (message.idiag_state == kListen || ntohs(message.id.idiag_dport) != remote.port) return;
    // The kernel tells of a request socket (TCP_NEW_SYN_RECV) by the name of the state.
    if (message.idiag_state == kSynReceived) {
      end = ServerEnd::kHandshake;
    } else {
      end = message.idiag_inode != 0 ? ServerEnd::kAccepted : ServerEnd::kQueued;
    }
  });
  return end;
}

void TcpSockets::walk(bool ipv6, Which which, const std::function<void(const TcpSocket&)>& visit) {
  const auto states =
      which == Which::kListeners ? 1U << kListen : 1U << kEstablished | 1U << kSynSent | 1U << kCloseWait;
  auto question = question_about(ipv6, states);
  question.id.idiag_cookie[0] = question.id.idiag_cookie[1] = 0;
  question.idiag_ext = 1U << (INET_DIAG_INFO - 1);
  // An interrupted walk may miss or repeat a connection; the next look comes soon.
  diag_.walk(question, [&visit](const inet_diag_msg& message, std::string_view attributes) {
    visit(to_socket(message, attributes));
  });
}

std::set<std::uint16_t> TcpSockets::listening_ports(const std::function<bool(std::uint64_t)>& owned) {
  std::set<std::uint16_t> ports;
  for (const bool ipv6 : {false, true}) {
    walk(ipv6, Which::kListeners, [&](const TcpSocket& socket) {
      if (owned(socket.inode)) ports.insert(socket.local.port);
    });
  }
  return ports;
}

}  // namespace codex
