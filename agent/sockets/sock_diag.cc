#include "agent/sockets/sock_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <netinet/tcp.h>

#include <array>
#include <string_view>

namespace codex {

namespace {

constexpr int kAttempts = 3;

Listener to_listener(const inet_diag_msg& message) {
  Listener listener;
  listener.ipv6 = message.idiag_family == AF_INET6;
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(message.idiag_family, message.id.idiag_src, text.data(), text.size());
  listener.address = text.data();
  listener.port = ntohs(message.id.idiag_sport);
  listener.inode = message.idiag_inode;
  listener.uid = message.idiag_uid;
  listener.accept_queue = message.idiag_rqueue;
  listener.backlog = message.idiag_wqueue;
  return listener;
}

}  // namespace

std::vector<Listener> SockDiag::listeners(std::uint16_t port) {
  std::vector<Listener> found;
  for (const int family : {AF_INET, AF_INET6}) {
    inet_diag_req_v2 question{};
    question.sdiag_family = static_cast<std::uint8_t>(family);
    question.sdiag_protocol = IPPROTO_TCP;
    question.idiag_states = 1U << TCP_LISTEN;
    question.id.idiag_sport = htons(port);
    const auto before = found.size();
    bool complete = false;
    for (int attempt = 0; attempt < kAttempts && !complete; ++attempt) {
      found.resize(before);
      complete = diag_.walk(question, [&](const inet_diag_msg& message, std::string_view) {
        if (message.idiag_state == TCP_LISTEN && ntohs(message.id.idiag_sport) == port)
          found.push_back(to_listener(message));
      });
    }
  }
  return found;
}

}  // namespace codex
