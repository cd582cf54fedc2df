#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "agent/os/check.h"
#include "probes/hang/accept_probe.h"
#include "probes/hang/request_waits.h"

namespace codex {
namespace {

using State = AcceptProbeView::State;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kTenSeconds = 10'000;  // in milliseconds, as poll(2) has them

/// Where a server listens, and where it is asked.
struct Addresses {
  const char* name;
  const char* bound;
  const char* asked;
};

/// A listening socket with TCP_DEFER_ACCEPT. Nobody accepts but the test.
class DeferredAccept : public testing::TestWithParam<Addresses> {
 protected:
  void listen(int backlog, int defer_seconds = 60) {
    const auto bound = *SocketAddress::parse(GetParam().bound, 0);
    listener.reset(::socket(bound.ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener) return;
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_in);
    if (bound.ipv6) {
      auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
      in->sin6_family = AF_INET6;
      std::copy_n(bound.words.begin(), 4, reinterpret_cast<std::uint32_t*>(&in->sin6_addr));
      size = sizeof *in;
    } else {
      auto* in = reinterpret_cast<sockaddr_in*>(&storage);
      in->sin_family = AF_INET;
      in->sin_addr.s_addr = bound.words[0];
    }
    auto* raw = reinterpret_cast<sockaddr*>(&storage);
    if (::bind(listener.get(), raw, size) != 0) return listener.reset();
    check("TCP_DEFER_ACCEPT",
          ::setsockopt(listener.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds, sizeof defer_seconds));
    check("listen", ::listen(listener.get(), backlog));
    check("getsockname", ::getsockname(listener.get(), raw, &size));
    port = ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);  // at the same place in both
    address = *SocketAddress::parse(GetParam().asked, port);
  }

  /// Waits for the kernel to let a connection in.
  [[nodiscard]] bool acceptable() const {
    pollfd readable{listener.get(), POLLIN, 0};
    return ::poll(&readable, 1, kTenSeconds) == 1;
  }
  /// Asks until so many wait to be accepted.
  [[nodiscard]] bool has_waiting(std::uint32_t expected) {
    const auto end = Clock::now() + seconds(10);
    while (sockets.accept_queue(address)->waiting != expected) {
      if (Clock::now() > end) return false;
    }
    return true;
  }
  UniqueFd accept() {
    return UniqueFd(check("accept4", ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
  AcceptProbeView look(Duration later = {}) { return probe.look(now += later); }

  /// Looks twice a second for so long, each time asking for a probe; how many were opened. The server accepts
  /// whatever comes.
  int probes_within(Duration span) {
    int opened = 0;
    for (const auto end = now + span; now < end; now += milliseconds(400)) {
      probe.begin(address, now);
      opened += look().state != State::kIdle;
      if (look(milliseconds(100)).state == State::kIdle) continue;
      if (!acceptable()) return -1;
      accept();
    }
    return opened;
  }

  UniqueFd listener;
  std::uint16_t port = 0;
  SocketAddress address;
  TcpSockets sockets;
  AcceptProbe probe{sockets};
  TimePoint now = Clock::now();
};

INSTANTIATE_TEST_SUITE_P(Everywhere, DeferredAccept,
                         testing::Values(Addresses{"IPv4", "127.0.0.1", "127.0.0.1"},
                                         Addresses{"IPv6", "::1", "::1"},
                                         Addresses{"BothAskedByIPv4", "::", "127.0.0.1"},
                                         Addresses{"BothAskedByIPv6", "::", "::1"}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(DeferredAccept, IsNoEvidence) {
  listen(8);
  if (!listener) GTEST_SKIP() << "no such address here";
  probe.begin(address, now);
  EXPECT_EQ(look().state, State::kDeferred);
  EXPECT_EQ(sockets.accept_queue(address)->waiting, 0U);
  EXPECT_EQ(look(AcceptProbe::kDeferred - Duration(1)).state, State::kDeferred);
  EXPECT_EQ(look(Duration(1)).state, State::kDeferred);
  EXPECT_EQ(look().state, State::kIdle) << "closed, since there is nothing to wait for";
}

TEST_P(DeferredAccept, LetsInWhatWasClosedForTheServerToTakeOut) {
  listen(8);
  if (!listener) GTEST_SKIP() << "no such address here";
  probe.begin(address, now);
  ASSERT_EQ(look(AcceptProbe::kDeferred).state, State::kDeferred);
  ASSERT_TRUE(acceptable());
  EXPECT_EQ(sockets.accept_queue(address)->waiting, 1U) << "and there it tells whether the server accepts";
  const auto accepted = accept();
  char byte = 0;
  EXPECT_EQ(::recv(accepted.get(), &byte, 1, 0), 0);
  RequestWaits waits(port, {});
  waits.begin_look(now);
  int seen = 0;
  sockets.walk(address.ipv6 || std::string(GetParam().bound) == "::", TcpSockets::Which::kConnections,
               [&](const TcpSocket& socket) {
                 seen += socket.local.port == port;
                 waits.see(socket, {});
               });
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(waits.finish_look(false).server.waiting, 0) << "our own knock is no request";
}

TEST_P(DeferredAccept, IsAcceptedWhenTheKernelLetsItInAfterAll) {
  listen(8, 1);
  if (!listener) GTEST_SKIP() << "no such address here";
  probe.begin(address, now);
  ASSERT_EQ(look().state, State::kDeferred);
  ASSERT_TRUE(acceptable());
  EXPECT_EQ(look().state, State::kWaiting) << "now it is the server's turn";
  const auto accepted = accept();
  EXPECT_EQ(look().state, State::kAccepted);
}

TEST_P(DeferredAccept, IsEvidenceWhenTheQueueIsFull) {
  listen(2);
  if (!listener) GTEST_SKIP() << "no such address here";
  probe.begin(address, now);
  ASSERT_EQ(look().state, State::kDeferred);
  for (std::uint32_t waiting = 1; waiting <= 3; ++waiting) {
    AcceptProbe other{sockets};
    other.begin(address, now);
    ASSERT_EQ(other.look(now + AcceptProbe::kDeferred).state, State::kDeferred);
    ASSERT_TRUE(has_waiting(waiting));
  }
  EXPECT_EQ(look().state, State::kWaiting);
  AcceptProbe too_late{sockets};
  too_late.begin(address, now);
  EXPECT_EQ(too_late.look(now).state, State::kWaiting) << "not even the handshake began";
}

TEST_P(DeferredAccept, IsAskedAgainMoreAndMoreRarely) {
  listen(8);
  if (!listener) GTEST_SKIP() << "no such address here";
  EXPECT_EQ(probes_within(seconds(1)), 1) << "then a pause of a second";
  EXPECT_EQ(probes_within(seconds(30)), 4) << "then of 2, 4, 8 and 16";
  EXPECT_EQ(probes_within(seconds(300)), 10) << "never more than 30 s";
  const int now_at_once = 0;
  check("TCP_DEFER_ACCEPT",
        ::setsockopt(listener.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &now_at_once, sizeof now_at_once));
  now += AcceptProbe::kLongestPause;
  probe.begin(address, now);
  ASSERT_EQ(look().state, State::kWaiting);
  accept();
  look();
  probe.begin(address, now += AcceptProbe::kPause);
  EXPECT_EQ(look().state, State::kWaiting) << "it is asked as often as anybody, since it defers no more";
}

}  // namespace
}  // namespace codex
