#include "tests/support/evil_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>

#include "agent/os/check.h"

namespace codex::test {

bool EvilPeer::wait_for(short events, int timeout_milliseconds) {
  pollfd watched[] = {{stop_, POLLIN, 0}, {connection_.get(), events, 0}};
  if (::poll(watched, 2, timeout_milliseconds) < 0) return false;
  return watched[0].revents == 0 && watched[1].revents != 0;
}

bool EvilPeer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!wait_for(POLLOUT, -1)) return false;
    const auto n = ::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) continue;
    if (n <= 0) return false;
    sent_bytes_ += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool EvilPeer::drip(std::string_view bytes, std::chrono::milliseconds pause) {
  for (const char& byte : bytes) {
    // With no events asked for, only the end of the connection or of the server interrupts the pause.
    pollfd watched[] = {{stop_, POLLIN, 0}, {connection_.get(), 0, 0}};
    if (::poll(watched, 2, static_cast<int>(pause.count())) != 0) return false;
    if (!send({&byte, 1})) return false;
  }
  return true;
}

bool EvilPeer::stream(std::string_view chunk, std::uint64_t total) {
  for (std::uint64_t sent = 0; sent < total; sent += chunk.size()) {
    if (!send(chunk)) return false;
  }
  return true;
}

std::string EvilPeer::read_until(std::string_view end) {
  std::string text;
  char byte = 0;
  while (!text.ends_with(end) && wait_for(POLLIN, -1) && ::recv(connection_.get(), &byte, 1, 0) == 1)
    text += byte;
  return text;
}

std::string EvilPeer::read_exactly(std::size_t count) {
  std::string text;
  char byte = 0;
  while (text.size() < count && wait_for(POLLIN, -1) && ::recv(connection_.get(), &byte, 1, 0) == 1)
    text += byte;
  return text;
}

void EvilPeer::wait_until_closed() {
  char ignored[4096];
  while (wait_for(POLLIN | POLLRDHUP, -1) && ::recv(connection_.get(), ignored, sizeof ignored, 0) > 0) {
  }
}

void EvilPeer::reset() {
  const linger at_once{1, 0};
  ::setsockopt(connection_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  connection_.reset();
}

UniqueFd connect_to(std::uint16_t port) {
  UniqueFd client(check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  check("connect", ::connect(client.get(), reinterpret_cast<sockaddr*>(&in), sizeof in));
  return client;
}

UniqueFd listen_on_loopback(int backlog, std::uint16_t& port) {
  UniqueFd listener(check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check("bind", ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size));
  check("listen", ::listen(listener.get(), backlog));
  check("getsockname", ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
  port = ntohs(address.sin_port);
  return listener;
}

EvilServer::EvilServer(Script script)
    : script_(std::move(script)),
      listener_(listen_on_loopback(64, port_)),
      stop_(check("eventfd", ::eventfd(0, EFD_CLOEXEC))),
      thread_([this] { serve(); }) {}

EvilServer::~EvilServer() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(stop_.get(), &one, sizeof one);
}

void EvilServer::serve() {
  for (;;) {
    pollfd watched[] = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0 || watched[0].revents != 0) return;
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) continue;
    ++connections_;
    EvilPeer peer(std::move(connection), stop_.get());
    script_(peer);
    sent_bytes_ += peer.sent_bytes();
  }
}

}  // namespace codex::test
