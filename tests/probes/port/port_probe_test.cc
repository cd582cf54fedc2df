#include "probes/port/port_probe.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/os/check.h"
#include "tests/probes/probe_fixture.h"
#include "tests/support/evil_server.h"

namespace codex::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PortProbeTest : public ProbeFixture {
 protected:
  PortProbeTest() {
    context.holder_of = [this](const Listener&) { return holder_; };
  }

  ProbeSpec port_spec(std::uint16_t port, bool own_listener = true) {
    ProbeSpec spec;
    spec.name = "port";
    spec.kind = ProbeKind::kPort;
    spec.port = port;
    spec.own_listener = own_listener;
    return spec;
  }

  ListenerHolder holder_{true, "pid 4251 (node)"};
};

UniqueFd connect_to(std::uint16_t port) {
  UniqueFd client(check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  return client;
}

std::uint16_t unused_port() {
  std::uint16_t port = 0;
  listen_on_loopback(1, port).reset();
  return port;
}

TEST_F(PortProbeTest, OurListenerIsNamedWithItsQueue) {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(16, port);
  const auto result = ask(port_spec(port));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_EQ(result.detail, "127.0.0.1:" + std::to_string(port) + ": pid 4251 (node), accept queue 0 of 16");
  ASSERT_EQ(result.phases.size(), 1U);
  EXPECT_EQ(result.phases.front().phase, Phase::kConnect);
}

TEST_F(PortProbeTest, NobodyListeningIsRefused) {
  const auto port = unused_port();
  const auto result = ask(port_spec(port));
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kRefused);
  EXPECT_EQ(result.detail, "nothing listens on port " + std::to_string(port));
}

TEST_F(PortProbeTest, StrangerOnThePortIsRefusedAndNamed) {
  holder_ = {false, "pid 4711 (python3)"};
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(16, port);
  const auto result = ask(port_spec(port));
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kRefused);
  EXPECT_THAT(result.detail, HasSubstr("held by pid 4711 (python3)"));
}

TEST_F(PortProbeTest, StrangerOnTheOtherFamilyDoesNotHideOurs) {
  std::uint16_t port = 0;
  const auto stranger = listen_on_loopback(16, port);
  const UniqueFd ours(check("socket", ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  const int on = 1;
  check("setsockopt", ::setsockopt(ours.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_any;
  check("bind", ::bind(ours.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  check("listen", ::listen(ours.get(), 16));
  context.holder_of = [](const Listener& listener) {
    return ListenerHolder{listener.ipv6, listener.ipv6 ? "pid 1 (node)" : "pid 2 (nc)"};
  };
  // Ours answers on ::1, which the stranger's 127.0.0.1 does not hide.
  const auto result = ask(port_spec(port));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_THAT(result.detail, HasSubstr("[::1]:"));
}

TEST_F(PortProbeTest, StrangerOnTheMoreExactAddressHidesOurs) {
  const auto listen_shared = [](in_addr_t where, std::uint16_t port) {
    UniqueFd listener(check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    const int on = 1;
    check("setsockopt", ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(where);
    check("bind", ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
    check("listen", ::listen(listener.get(), 16));
    return listener;
  };
  const auto ours = listen_shared(INADDR_ANY, 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  check("getsockname", ::getsockname(ours.get(), reinterpret_cast<sockaddr*>(&address), &size));
  const auto port = ntohs(address.sin_port);
  const auto stranger = listen_shared(INADDR_LOOPBACK, port);
  context.holder_of = [](const Listener& listener) {
    const bool is_ours = listener.address == "0.0.0.0";
    return ListenerHolder{is_ours, is_ours ? "pid 1 (node)" : "pid 2 (nc)"};
  };
  const auto result = ask(port_spec(port));
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kRefused);
  EXPECT_THAT(result.detail, HasSubstr("held by pid 2 (nc)"));
}

TEST_F(PortProbeTest, StrangerOnAnyAddressIsToleratedWithoutOwnership) {
  holder_ = {false, "pid 4711 (python3)"};
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(16, port);
  const auto result = ask(port_spec(port, false));
  EXPECT_EQ(result.outcome, Outcome::kSuccess);
  EXPECT_EQ(result.detail, "127.0.0.1:" + std::to_string(port) + ": accepts connections");
}

TEST_F(PortProbeTest, RefusedConnectionOfAForeignPortSaysSo) {
  const auto result = ask(port_spec(unused_port(), false));
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kRefused);
  EXPECT_THAT(result.detail, HasSubstr("connection refused"));
}

TEST_F(PortProbeTest, LocalhostTriesBothFamilies) {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(16, port);
  auto spec = port_spec(port, false);
  spec.host = "localhost";
  EXPECT_EQ(ask(spec).outcome, Outcome::kSuccess);
}

TEST_F(PortProbeTest, FullBacklogIsATimeoutWithTheQueue) {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(0, port);
  std::vector<UniqueFd> fillers;
  for (int i = 0; i < 4; ++i) fillers.push_back(connect_to(port));
  const auto result = ask(port_spec(port), kShort);
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kTimeout);
  EXPECT_THAT(result.detail, HasSubstr("no connection within 300 ms"));
  EXPECT_THAT(result.detail, HasSubstr("accept queue 1 of 0"));
}

TEST_F(PortProbeTest, SuccessNeedsSomebodyWhoKnowsTheTree) {
  context.holder_of = nullptr;
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(16, port);
  EXPECT_EQ(ask(port_spec(port)).outcome, Outcome::kUnknown);
}

TEST_F(PortProbeTest, ConnectionIsClosedQuietlySoThatNoServerLogsAnError) {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(16, port);
  ASSERT_EQ(ask(port_spec(port)).outcome, Outcome::kSuccess);
  const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);
  char byte = 0;
  EXPECT_EQ(::recv(accepted.get(), &byte, 1, 0), 0) << "an end of file, not ECONNRESET";
}

TEST_F(PortProbeTest, BusyResolverIsUnknown) {
  const BusyWorker busy(resolver);
  auto spec = port_spec(80, false);
  spec.host = "backend.invalid";
  EXPECT_EQ(ask(spec, kShort).outcome, Outcome::kUnknown);
}

TEST_F(PortProbeTest, NameWithoutAddressIsAResolveFailure) {
  auto spec = port_spec(80, false);
  spec.host = "backend.invalid";
  const auto result = ask(spec);
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kResolve);
}

TEST_F(PortProbeTest, TwoHundredAttemptsLeaveNoDescriptor) {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(512, port);
  const auto probe = make_probe(port_spec(port), context);
  const auto before = open_descriptors();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(ask(*probe, kAmple).outcome, Outcome::kSuccess);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(PortProbe, SocketConnectedToItselfIsRecognised) {
  const UniqueFd socket(check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check("bind", ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size));
  check("getsockname", ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size));
  EXPECT_FALSE(is_self_connected(socket.get()));
  check("connect", ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size));
  EXPECT_TRUE(is_self_connected(socket.get()));
}

TEST(PortProbe, ConnectionToAnotherSocketIsNotSelf) {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(1, port);
  const auto client = connect_to(port);
  EXPECT_FALSE(is_self_connected(client.get()));
}

TEST(PortProbe, WildcardListenersAreReachedThroughLoopback) {
  EXPECT_THAT(reachable_addresses("0.0.0.0"), ElementsAre("127.0.0.1"));
  EXPECT_THAT(reachable_addresses("::"), ElementsAre("::1", "127.0.0.1"));
  EXPECT_THAT(reachable_addresses("10.0.0.7"), ElementsAre("10.0.0.7"));
}

}  // namespace
}  // namespace codex::test
