#include "agent/process/port_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "agent/os/user_name.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/forked_child.h"
#include "tests/support/loop_fixture.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

struct Listening {
  UniqueFd fd;
  std::uint16_t port = 0;
};

in_addr_t address_of(int host) {
  return htonl(INADDR_LOOPBACK - 1 + static_cast<std::uint32_t>(host));
}

/// Bound to 127.0.0.`host`, so that nobody else gets the port; 0 is one of the kernel's choice.
Listening bind_to(int host = 1, std::uint16_t port = 0) {
  Listening bound{UniqueFd(check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))), port};
  sockaddr_in address{};
  socklen_t size = sizeof address;
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = address_of(host);
  check("bind", ::bind(bound.fd.get(), reinterpret_cast<sockaddr*>(&address), size));
  check("getsockname", ::getsockname(bound.fd.get(), reinterpret_cast<sockaddr*>(&address), &size));
  bound.port = ntohs(address.sin_port);
  return bound;
}

Listening listen_on(int host = 1, std::uint16_t port = 0) {
  auto bound = bind_to(host, port);
  check("listen", ::listen(bound.fd.get(), 16));
  return bound;
}

/// A connection that nobody accepts; once connect(2) returns it is in the queue.
UniqueFd connect_to(std::uint16_t port, int host = 1) {
  UniqueFd client(check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = address_of(host);
  check("connect", ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  return client;
}

/// A process of its own that has the socket alone and does nothing.
Child give_to_stranger([[maybe_unused]] Listening listening) {
  return fork_child([] {
    for (;;) ::pause();
  });
}

/// A socket on its way from one process to another, which none of them has (unix(7), SCM_RIGHTS): as one whose
/// process may not be looked at.
class InFlight {
 public:
  explicit InFlight(Listening listening) {
    int fds[2];
    check("socketpair", ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    from_.reset(fds[0]);
    to_.reset(fds[1]);
    char byte = 1;
    iovec part{&byte, 1};
    const int fd = listening.fd.get();
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    check("sendmsg", ::sendmsg(from_.get(), &message, 0));
  }

 private:
  UniqueFd from_, to_;
};

/// A backend's port, in a tree whose processes are `sleep`: each has a listening socket as its output.
class Port : public LoopFixture {
 protected:
  Port()
      : reaper_(loop_,
                [this](pid_t pid, const ExitStatus& status, const rusage&) { tree_.on_reaped(pid, status); }),
        tree_(loop_, {"port" + std::to_string(::getpid()), "tree", "secret"}, false,
              {[this] { runs_ = true; }, [](const SpawnError& error) { ADD_FAILURE() << error.message; },
               [](const ExitStatus&) {}}) {}

  ~Port() override {
    tree_.kill_all();
    EXPECT_TRUE(turn_until([this] { return tree_.is_surely_empty(); }));
  }

  /// The tree's one process gets `out` and `error`, and nobody else keeps them.
  void give_to_backend(Listening out, Listening error = {}) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    SpawnRequest request;
    request.command = {"sleep", "1000"};
    request.directory = "/";
    request.environment = {{"PATH", "/usr/bin:/bin"}};
    request.stdout_fd = out.fd ? out.fd.get() : null.get();
    request.stderr_fd = error.fd ? error.fd.get() : null.get();
    tree_.spawn(std::move(request), 1);
    ASSERT_TRUE(turn_until([this] { return runs_; }));
  }

  /// It watches `port` from here on.
  PortWatch& watch(std::uint16_t port) { return watch_.emplace(port, sock_diag_, tree_, redactor_); }

  std::vector<Listener> listeners(std::uint16_t port) { return sock_diag_.listeners(port); }

  bool runs_ = false;
  Redactor redactor_;
  SockDiag sock_diag_;
  Reaper reaper_;
  ProcessTree tree_;
  std::optional<PortWatch> watch_;
};

TEST_F(Port, BeforeALookOnlyItsNumberIsKnown) {
  EXPECT_EQ(watch(4711).last().number, 4711);
  EXPECT_FALSE(watch_->last().listening);
  EXPECT_FALSE(watch_->server());
}

TEST_F(Port, NothingListens) {
  const auto bound = bind_to();
  const auto port = bound.port;
  const auto& seen = watch(port).look();
  EXPECT_EQ(seen.number, port);
  EXPECT_FALSE(seen.listening);
  EXPECT_FALSE(seen.ours);
  EXPECT_FALSE(seen.owner_pid);
  EXPECT_FALSE(seen.accept_queue);
  EXPECT_FALSE(watch_->server());
  EXPECT_FALSE(watch_->describe_stranger());
  EXPECT_EQ(watch_->describe_absence(), "nothing listens on port " + std::to_string(port));
}

TEST_F(Port, OursListens) {
  auto listening = listen_on();
  const auto port = listening.port;
  give_to_backend(std::move(listening));
  const auto& seen = watch(port).look();
  EXPECT_TRUE(seen.listening);
  EXPECT_TRUE(seen.ours);
  EXPECT_EQ(seen.owner_pid, tree_.leader());
  EXPECT_EQ(seen.owner_command, "sleep");
  EXPECT_EQ(seen.accept_queue, 0U);
  EXPECT_EQ(watch_->server(), identify_process(*tree_.leader()));
  EXPECT_EQ(watch_->server_address(), "127.0.0.1");
  EXPECT_TRUE(watch_->server_network().is_own());
  EXPECT_FALSE(watch_->describe_stranger());
}

TEST_F(Port, ConnectionsThatWaitAreCounted) {
  auto listening = listen_on();
  const auto port = listening.port;
  give_to_backend(std::move(listening));
  const auto first = connect_to(port), second = connect_to(port);
  EXPECT_EQ(watch(port).look().accept_queue, 2U);
}

TEST_F(Port, AStrangerIsDescribed) {
  auto listening = listen_on();
  const auto port = listening.port;
  give_to_backend({});
  const auto stranger = give_to_stranger(std::move(listening));
  const auto& seen = watch(port).look();
  EXPECT_TRUE(seen.listening);
  EXPECT_FALSE(seen.ours);
  EXPECT_EQ(seen.owner_pid, stranger.pid());
  EXPECT_EQ(seen.owner_command, read_proc_stat(stranger.pid())->comm);
  EXPECT_FALSE(watch_->server());
  EXPECT_EQ(watch_->server_address(), "");

  const auto words = watch_->describe_stranger();
  ASSERT_TRUE(words);
  EXPECT_THAT(*words, StartsWith("Port " + std::to_string(port) + " is held by pid " +
                                 std::to_string(stranger.pid()) + " ("));
  EXPECT_THAT(*words, HasSubstr(redactor_.safe(describe_process(stranger.pid())->command, 80)));
  EXPECT_THAT(*words,
              ContainsRegex(", user " + user_name(::geteuid()) + ", since [-0-9 ]*[0-9]{2}:[0-9]{2}\\)"));
  EXPECT_THAT(*words, HasSubstr("not started by codex-agent; it was left alone. Stop it, or set PORT."));
  EXPECT_EQ(watch_->describe_absence(), "port " + std::to_string(port) + " is held by another process");
}

TEST_F(Port, AStrangerWhoMayNotBeLookedAtIsOneNevertheless) {
  auto listening = listen_on();
  const auto port = listening.port;
  const InFlight stranger(std::move(listening));
  const auto& seen = watch(port).look();
  EXPECT_TRUE(seen.listening);
  EXPECT_FALSE(seen.ours);
  EXPECT_FALSE(seen.owner_pid);
  EXPECT_EQ(seen.owner_command, "");
  const auto words = watch_->describe_stranger();
  ASSERT_TRUE(words);
  EXPECT_THAT(*words, HasSubstr("is held by a process that may not be looked at from here, not started by"));
  const auto found = listeners(port);
  ASSERT_EQ(found.size(), 1U);
  const auto holder = watch_->holder_of(found[0]);
  EXPECT_FALSE(holder.ours);
  EXPECT_EQ(holder.description, "a process of uid " + std::to_string(::geteuid()));
}

TEST_F(Port, WhoHoldsASocketIsToldOfOursAndOfAStranger) {
  auto ours = listen_on(), other = listen_on();
  const auto our_port = ours.port, other_port = other.port;
  give_to_backend(std::move(ours));
  const auto stranger = give_to_stranger(std::move(other));
  watch(our_port);
  for (int look = 0; look < 2; ++look) {  // The second one has to know that it is another socket.
    const auto holder = watch_->holder_of(listeners(our_port).at(0));
    EXPECT_TRUE(holder.ours);
    EXPECT_EQ(holder.description, "pid " + std::to_string(*tree_.leader()) + " (sleep)");
    const auto another = watch_->holder_of(listeners(other_port).at(0));
    EXPECT_FALSE(another.ours);
    EXPECT_THAT(another.description, StartsWith("pid " + std::to_string(stranger.pid()) + " ("));
  }
}

TEST_F(Port, BesideAStrangerOnAnotherAddressOursCounts) {
  auto theirs = listen_on(1);
  const auto port = theirs.port;
  auto ours = listen_on(2, port);
  give_to_backend(std::move(ours));
  const auto stranger = give_to_stranger(std::move(theirs));
  const auto waiting = connect_to(port, 1), waiting_too = connect_to(port, 2);
  const auto& seen = watch(port).look();
  EXPECT_TRUE(seen.ours);
  EXPECT_EQ(seen.owner_pid, tree_.leader());
  EXPECT_EQ(watch_->server_address(), "127.0.0.2");
  EXPECT_EQ(seen.accept_queue, 2U) << "of all";
  EXPECT_FALSE(watch_->describe_stranger());
}

TEST_F(Port, WhoListensOnOtherPortsIsToldWhere) {
  const auto bound = bind_to();
  const auto port = bound.port;
  auto first = listen_on(), second = listen_on();
  const auto low = std::to_string(std::min(first.port, second.port));
  const auto high = std::to_string(std::max(first.port, second.port));
  give_to_backend(std::move(first), std::move(second));
  const auto stranger = give_to_stranger(listen_on());
  watch(port).look();
  EXPECT_EQ(watch_->describe_absence(), "nothing listens on port " + std::to_string(port) +
                                            "; the backend listens on port " + low + ", " + high +
                                            " instead");
}

TEST_F(Port, WhatHasBecomeOfTheListenerIsSeenAtTheNextLook) {
  auto listening = listen_on();
  const auto port = listening.port;
  give_to_backend(std::move(listening));
  EXPECT_TRUE(watch(port).look().ours);
  tree_.kill_all();
  ASSERT_TRUE(turn_until([this] { return tree_.is_surely_empty(); }));
  EXPECT_FALSE(watch_->look().listening);
  EXPECT_FALSE(watch_->server());
  const auto stranger = give_to_stranger(listen_on(1, port));
  EXPECT_TRUE(watch_->look().listening);
  EXPECT_FALSE(watch_->last().ours);
  EXPECT_EQ(watch_->last().owner_pid, stranger.pid());
}

/// The same socket, of which somebody else has a descriptor too.
TEST_F(Port, AListenerThatOutlivesItsProcessHasANewHolder) {
  auto listening = listen_on();
  const auto port = listening.port;
  const UniqueFd kept(::fcntl(listening.fd.get(), F_DUPFD_CLOEXEC, 0));
  give_to_backend(std::move(listening));
  EXPECT_TRUE(watch(port).look().ours);
  tree_.kill_all();
  ASSERT_TRUE(turn_until([this] { return tree_.is_surely_empty(); }));
  EXPECT_TRUE(watch_->look().listening);
  EXPECT_FALSE(watch_->last().ours);
  EXPECT_EQ(watch_->last().owner_pid, ::getpid());
}

TEST_F(Port, TheLastAnswerIsKeptWhenTheKernelCannotBeAsked) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  auto listening = listen_on();
  const auto port = listening.port;
  give_to_backend(std::move(listening));
  watch(port).look();
  const auto server = watch_->server();
  // Of the listener that is there now nobody knows yet whose it is.
  tree_.kill_all();
  ASSERT_TRUE(turn_until([this] { return tree_.is_surely_empty(); }));
  const auto another = listen_on(1, port);
  {
    const test::FewDescriptors few(0);
    EXPECT_THROW(watch_->look(), std::system_error);
    EXPECT_THROW(watch_->describe_stranger(), std::system_error);
    EXPECT_TRUE(watch_->last().listening);
    EXPECT_TRUE(watch_->last().ours);
    EXPECT_EQ(watch_->last().owner_command, "sleep");
    EXPECT_EQ(watch_->server(), server);
    EXPECT_EQ(watch_->server_address(), "127.0.0.1");
  }
  EXPECT_FALSE(watch_->look().ours);
  EXPECT_EQ(watch_->last().owner_pid, ::getpid());
}

TEST_F(Port, WithoutDescriptorsItIsSaidAtLeastThatNothingListens) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  const auto bound = bind_to();
  const auto port = bound.port;
  give_to_backend(listen_on());
  watch(port).look();
  const test::FewDescriptors few(0);
  EXPECT_EQ(watch_->describe_absence(), "nothing listens on port " + std::to_string(port));
}

}  // namespace
}  // namespace codex
