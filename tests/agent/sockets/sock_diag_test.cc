#include "agent/sockets/sock_diag.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "agent/os/check.h"
#include "agent/os/process_table.h"

namespace codex {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Address loopback(int family) {
  Address address;
  if (family == AF_INET) {
    auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.size = sizeof *in;
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&address.storage);
    in->sin6_family = AF_INET6;
    in->sin6_addr = in6addr_loopback;
    address.size = sizeof *in;
  }
  return address;
}

/// A TCP socket on a port of the kernel's choice; false if the family is not there.
class ServerSocket {
 public:
  explicit ServerSocket(int family)
      : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), address_(loopback(family)) {
    if (!fd_) return;
    if (::bind(fd_.get(), address_.get(), address_.size) != 0) {
      fd_.reset();
      return;
    }
    check("getsockname", ::getsockname(fd_.get(), address_.get(), &address_.size));
  }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  void listen(int backlog) { check("listen", ::listen(fd_.get(), backlog)); }
  [[nodiscard]] std::uint16_t port() const {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address_.storage)->sin_port);
  }
  [[nodiscard]] std::uint64_t inode() const {
    struct stat info {};
    check("fstat", ::fstat(fd_.get(), &info));
    return info.st_ino;
  }
  UniqueFd connect() {
    UniqueFd client(check("socket", ::socket(address_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    check("connect", ::connect(client.get(), address_.get(), address_.size));
    return client;
  }
  UniqueFd accept() {
    return UniqueFd(check("accept4", ::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }

 private:
  UniqueFd fd_;
  Address address_;
};

/// Asks until the accept queue has `expected` connections: the last ACK of a handshake may still be under
/// way.
std::uint32_t accept_queue_when(SockDiag& diag, std::uint16_t port, std::uint32_t expected) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::uint32_t queue = 0;
  do {
    const auto found = diag.listeners(port);
    if (found.size() != 1) return UINT32_MAX;
    queue = found.front().accept_queue;
  } while (queue != expected && std::chrono::steady_clock::now() < end);
  return queue;
}

class SockDiagFamily : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(BothFamilies, SockDiagFamily, testing::Values(AF_INET, AF_INET6),
                         [](const auto& param) { return param.param == AF_INET ? "IPv4" : "IPv6"; });

TEST_P(SockDiagFamily, FindsAListenerWithItsFacts) {
  ServerSocket server(GetParam());
  if (!server) GTEST_SKIP() << "no loopback address of this family";
  SockDiag diag;
  EXPECT_TRUE(diag.listeners(server.port()).empty()) << "bound, but not listening yet";

  server.listen(7);
  const auto found = diag.listeners(server.port());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].address, GetParam() == AF_INET ? "127.0.0.1" : "::1");
  EXPECT_EQ(found[0].ipv6, GetParam() == AF_INET6);
  EXPECT_EQ(found[0].port, server.port());
  EXPECT_EQ(found[0].inode, server.inode());
  EXPECT_EQ(found[0].uid, ::getuid());
  EXPECT_EQ(found[0].accept_queue, 0U);
  EXPECT_EQ(found[0].backlog, 7U);
}

TEST_P(SockDiagFamily, CountsConnectionsThatWaitToBeAccepted) {
  ServerSocket server(GetParam());
  if (!server) GTEST_SKIP() << "no loopback address of this family";
  server.listen(8);
  SockDiag diag;
  std::vector<UniqueFd> clients;
  for (std::uint32_t waiting = 1; waiting <= 3; ++waiting) {
    clients.push_back(server.connect());
    EXPECT_EQ(accept_queue_when(diag, server.port(), waiting), waiting);
  }
  const auto accepted = server.accept();
  EXPECT_EQ(accept_queue_when(diag, server.port(), 2), 2U);
}

TEST(SockDiag, EstablishedConnectionsOfThePortAreNotListeners) {
  ServerSocket server(AF_INET);
  ASSERT_TRUE(server);
  server.listen(8);
  const auto client = server.connect();
  const auto accepted = server.accept();
  SockDiag diag;
  EXPECT_EQ(diag.listeners(server.port()).size(), 1U);
}

TEST(SockDiag, SeesTheListenerGoAway) {
  SockDiag diag;
  std::uint16_t port = 0;
  std::uint64_t inode = 0;
  {
    ServerSocket server(AF_INET);
    ASSERT_TRUE(server);
    server.listen(1);
    port = server.port();
    inode = diag.listeners(port).at(0).inode;
  }
  // Somebody else may have got the port meanwhile, but not the socket.
  for (const auto& listener : diag.listeners(port)) EXPECT_NE(listener.inode, inode);
}

TEST(SockDiag, AnswersManyQuestionsThroughOneSocket) {
  ServerSocket first(AF_INET), second(AF_INET);
  ASSERT_TRUE(first && second);
  first.listen(1);
  second.listen(1);
  SockDiag diag;
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(diag.listeners(first.port()).at(0).inode, first.inode());
    ASSERT_EQ(diag.listeners(second.port()).at(0).inode, second.inode());
  }
}

TEST(SockDiag, OwnerOfAListenerIsFoundByItsInode) {
  ServerSocket server(AF_INET);
  ASSERT_TRUE(server);
  server.listen(1);
  SockDiag diag;
  const auto inode = diag.listeners(server.port()).at(0).inode;
  EXPECT_EQ(socket_owner(inode, {1'999'999'999, ::getpid()}), ::getpid());
  EXPECT_EQ(socket_owner_on_host(inode), ::getpid());
  EXPECT_FALSE(socket_owner(inode, {}));
  EXPECT_FALSE(socket_owner(0, {::getpid()}));
}

}  // namespace
}  // namespace codex
