#include "probes/hang/accept_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace codex {

namespace {

struct RawAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

RawAddress to_raw(const SocketAddress& address) {
  RawAddress raw;
  if (address.ipv6) {
    auto* in = reinterpret_cast<sockaddr_in6*>(&raw.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(address.port);
    std::memcpy(&in->sin6_addr, address.words.data(), sizeof in->sin6_addr);
    raw.size = sizeof *in;
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&raw.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(address.port);
    in->sin_addr.s_addr = address.words[0];
    raw.size = sizeof *in;
  }
  return raw;
}

/// The end of ours: the server's address with another port. Probes go to an address of this host, from which
/// the kernel then connects too.
SocketAddress own_end(int socket, const SocketAddress& server) {
  RawAddress raw;
  raw.size = sizeof raw.storage;
  SocketAddress own = server;
  if (::getsockname(socket, raw.get(), &raw.size) != 0) return own;
  if (server.ipv6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&raw.storage);
    std::memcpy(own.words.data(), &in->sin6_addr, sizeof in->sin6_addr);
    own.port = ntohs(in->sin6_port);
  } else {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&raw.storage);
    own.words[0] = in->sin_addr.s_addr;
    own.port = ntohs(in->sin_port);
  }
  return own;
}

}  // namespace

void AcceptProbe::begin(const SocketAddress& server, TimePoint now) {
  if (socket_ || (began_ && now - *began_ < pause_)) return;
  if (began_ && now - *began_ >= 4 * pause_ && !deferred_) pause_ = kPause;
  began_ = now;
  socket_ = sockets_.network().socket(server.ipv6 ? AF_INET6 : AF_INET,
                                      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  // Out of descriptors ourselves: we could not ask, which says nothing about the server.
  if (!socket_) return;
  auto raw = to_raw(server);
  refused_ = ::connect(socket_.get(), raw.get(), raw.size) != 0 && errno != EINPROGRESS;
  server_ = server;
  own_ = own_end(socket_.get(), server);
}

AcceptProbeView::State AcceptProbe::find_out() const {
  using State = AcceptProbeView::State;
  if (refused_) return State::kRefused;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == ECONNREFUSED) return State::kRefused;
  char byte = 0;
  const auto read = ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (read == 0 || error == ECONNRESET || (read < 0 && errno == ECONNRESET)) return State::kDropped;
  if (read > 0) return State::kAccepted;  // a protocol in which the server speaks first
  const auto end = sockets_.server_end(server_, own_);
  if (end == ServerEnd::kAccepted) return State::kAccepted;
  return end == ServerEnd::kHandshake && is_deferred() ? State::kDeferred : State::kWaiting;
}

/// The handshake is complete for us and not for the server. With a full queue that is no wish of the
/// server's.
bool AcceptProbe::is_deferred() const {
  RawAddress peer;
  peer.size = sizeof peer.storage;
  if (::getpeername(socket_.get(), peer.get(), &peer.size) != 0) return false;  // ENOTCONN: not yet for us
  const auto queue = sockets_.accept_queue(server_);
  return queue && !queue->full();
}

void AcceptProbe::learn(const AcceptProbeView& view) {
  switch (view.state) {
    case AcceptProbeView::State::kIdle:
    case AcceptProbeView::State::kRefused:
      return;
    case AcceptProbeView::State::kWaiting:
      if (view.age >= kHasToWait) pause_ = kPause;
      deferred_ = false;
      return;
    case AcceptProbeView::State::kDropped:
      pause_ = kPause;
      deferred_ = false;
      return;
    case AcceptProbeView::State::kAccepted:
      if (view.age < kHasToWait) pause_ = std::min(2 * pause_, kLongestPause);
      deferred_ = false;
      return;
    case AcceptProbeView::State::kDeferred:
      if (view.age < kDeferred) return;
      pause_ = std::min(2 * pause_, kLongestPause);
      deferred_ = true;
      return;
  }
}

AcceptProbeView AcceptProbe::look(TimePoint now) {
  AcceptProbeView view;
  if (!socket_) return view;
  view.state = find_out();
  view.age = now - *began_;
  learn(view);
  const bool soon = view.state == AcceptProbeView::State::kDeferred && view.age < kDeferred;
  if (view.state != AcceptProbeView::State::kWaiting && !soon) socket_.reset();
  return view;
}

}  // namespace codex
