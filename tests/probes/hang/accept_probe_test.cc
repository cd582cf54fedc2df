#include "probes/hang/accept_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/os/check.h"
#include "tests/support/evil_server.h"

namespace codex {
namespace {

using State = AcceptProbeView::State;
using std::chrono::milliseconds;

class AcceptProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof in;
    check("bind", ::bind(listener.get(), reinterpret_cast<sockaddr*>(&in), size));
    check("getsockname", ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&in), &size));
    address = *SocketAddress::parse("127.0.0.1", ntohs(in.sin_port));
  }
  void listen() { check("listen", ::listen(listener.get(), 8)); }
  UniqueFd accept() {
    return UniqueFd(check("accept4", ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
  AcceptProbeView look() { return probe.look(now); }
  std::optional<std::uint32_t> waiting() {
    const auto queue = sockets.accept_queue(address);
    return queue ? std::optional(queue->waiting) : std::nullopt;
  }

  UniqueFd listener{check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  SocketAddress address;
  TcpSockets sockets;
  AcceptProbe probe{sockets};
  TimePoint now = Clock::now();
};

TEST_F(AcceptProbeTest, WaitsUntilTheServerAccepts) {
  listen();
  EXPECT_EQ(look().state, State::kIdle);
  probe.begin(address, now);
  EXPECT_EQ(look().state, State::kWaiting);
  EXPECT_EQ(waiting(), 1U);
  now += milliseconds(700);
  EXPECT_EQ(look().age, milliseconds(700));
  const auto accepted = accept();
  EXPECT_EQ(look().state, State::kAccepted);
  EXPECT_EQ(look().state, State::kIdle) << "told once";
  char byte = 0;
  EXPECT_EQ(::recv(accepted.get(), &byte, 1, 0), 0) << "closed in order, and nothing was sent";
}

TEST_F(AcceptProbeTest, TellsAConnectionThatWasDroppedAtOnce) {
  listen();
  probe.begin(address, now);
  accept().reset();
  EXPECT_EQ(look().state, State::kDropped);
  EXPECT_EQ(look().state, State::kIdle);
}

TEST_F(AcceptProbeTest, TellsThatNobodyListens) {
  probe.begin(address, now);
  EXPECT_EQ(look().state, State::kRefused);
  EXPECT_FALSE(sockets.accept_queue(address));
}

TEST_F(AcceptProbeTest, OpensOneConnectionAtATimeWithAPauseBetween) {
  listen();
  probe.begin(address, now);
  const auto first = accept();
  probe.begin(address, now + AcceptProbe::kPause);
  EXPECT_EQ(waiting(), 0U) << "the first is still open";
  EXPECT_EQ(look().state, State::kAccepted);
  probe.begin(address, now + 2 * AcceptProbe::kPause - Duration(1));
  EXPECT_EQ(look().state, State::kIdle);
  probe.begin(address, now + 2 * AcceptProbe::kPause);
  EXPECT_EQ(look().state, State::kWaiting);
  probe.cancel();
  EXPECT_EQ(look().state, State::kIdle);
}

TEST_F(AcceptProbeTest, ComesMoreAndMoreRarelyWhileItTellsNothingBad) {
  listen();
  std::vector<std::chrono::milliseconds> pauses;
  for (TimePoint at = now, last = at; pauses.size() < 8; at += AcceptProbe::kPause / 2) {
    probe.begin(address, at);
    if (waiting() == 0) continue;
    pauses.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(at - last));
    last = at;
    const auto accepted = accept();
    probe.look(at);
  }
  using std::chrono::milliseconds;
  EXPECT_EQ(pauses, (std::vector<milliseconds>{milliseconds(0), milliseconds(1000), milliseconds(2000),
                                               milliseconds(4000), milliseconds(8000), milliseconds(16000),
                                               milliseconds(30000), milliseconds(30000)}));
}

TEST_F(AcceptProbeTest, WalksFindTheConnectionWithItsAges) {
  listen();
  const UniqueFd client = test::connect_to(address.port);
  const auto accepted = accept();
  ASSERT_EQ(::send(client.get(), "hello", 5, MSG_NOSIGNAL), 5);
  int found = 0;
  sockets.walk(false, TcpSockets::Which::kConnections, [&](const TcpSocket& socket) {
    if (socket.local.port != address.port) return;
    ++found;
    EXPECT_EQ(socket.bytes_received, 5U);
    EXPECT_EQ(socket.bytes_sent, 0U);
    EXPECT_EQ(socket.unread, 5U);
    EXPECT_NE(socket.inode, 0U);
    EXPECT_NE(socket.cookie, 0U);
    EXPECT_EQ(socket.local.text(), "127.0.0.1:" + std::to_string(address.port));
  });
  EXPECT_EQ(found, 1);
  int listeners = 0;
  sockets.walk(false, TcpSockets::Which::kListeners,
               [&](const TcpSocket& socket) { listeners += socket.local.port == address.port; });
  EXPECT_EQ(listeners, 1);
}

TEST(SocketAddressText, IsReadAndWritten) {
  EXPECT_EQ(SocketAddress::parse("127.0.0.1", 80)->text(), "127.0.0.1:80");
  EXPECT_EQ(SocketAddress::parse("::1", 80)->text(), "[::1]:80");
  EXPECT_EQ(SocketAddress::parse("::ffff:10.1.2.3", 80)->text(), "10.1.2.3:80");
  EXPECT_FALSE(SocketAddress::parse("localhost", 80));
  EXPECT_FALSE(SocketAddress::parse("", 80));
}

}  // namespace
}  // namespace codex
