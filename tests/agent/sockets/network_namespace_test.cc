#include "agent/sockets/network_namespace.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "agent/sockets/sock_diag.h"
#include "tests/support/forked_child.h"

namespace codex {
namespace {

constexpr uid_t kNobody = 65534;

struct Told {
  std::uint16_t port = 0;
  ino_t inode = 0;
};

/// Listens on a port of the kernel's choice, on all addresses: the loopback of a new namespace is down.
Told listen_anywhere() {
  const int fd = check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check("listen", ::listen(fd, 1));
  sockaddr_in address{};
  socklen_t size = sizeof address;
  check("getsockname", ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size));
  struct stat info {};
  check("fstat", ::fstat(fd, &info));
  return {ntohs(address.sin_port), info.st_ino};
}

ino_t namespace_of_thread() {
  struct stat info {};
  check("stat", ::stat("/proc/thread-self/ns/net", &info));
  return info.st_ino;
}

bool sees(SockDiag& diag, const Told& listener) {
  for (const auto& found : diag.listeners(listener.port))
    if (found.inode == listener.inode) return true;
  return false;
}

TEST(NetworkNamespace, WhoIsInOursOrNowhereIsInOurs) {
  for (const pid_t pid : {::getpid(), ::getppid(), 1'999'999'999, 0, -1}) {
    EXPECT_TRUE(NetworkNamespace::of(pid).is_own()) << pid;
    EXPECT_TRUE(NetworkNamespace::others({pid}).empty()) << pid;
  }
  EXPECT_TRUE(NetworkNamespace().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

TEST(NetworkNamespace, SocketsOfAnotherSeeWhatIsThere) {
  Pipe told;
  const auto child = fork_child([&] {
    told.send(::unshare(CLONE_NEWNET) == 0 ? listen_anywhere() : Told{});
    ::pause();
  });
  const auto listener = told.receive<Told>();
  if (listener.port == 0) GTEST_SKIP() << "this machine makes no network namespace for us";
  const auto before = namespace_of_thread();

  const auto network = NetworkNamespace::of(child.pid());
  EXPECT_FALSE(network.is_own());
  EXPECT_TRUE(network.may_enter());
  EXPECT_FALSE(network == NetworkNamespace());
  EXPECT_TRUE(network == NetworkNamespace::of(child.pid()));
  const auto others = NetworkNamespace::others({::getpid(), child.pid(), child.pid()});
  ASSERT_EQ(others.size(), 1U);
  EXPECT_TRUE(others.front() == network);

  SockDiag here, there(network);
  EXPECT_TRUE(there.network() == network);
  EXPECT_TRUE(sees(there, listener));
  EXPECT_FALSE(sees(here, listener));
  EXPECT_EQ(namespace_of_thread(), before) << "this thread was left behind there";
}

TEST(NetworkNamespace, SaysWhyNoSocketIsToBeHad) {
  EXPECT_FALSE(NetworkNamespace().socket(AF_INET, -1, 0));
  EXPECT_EQ(errno, EINVAL);
}

/// A user may make namespaces, but not enter them again from outside: that takes CAP_SYS_ADMIN in both.
TEST(NetworkNamespace, OneThatMayNotBeEnteredIsOnlyToldOf) {
  Pipe told, seen;
  const auto nobody = [] {
    return ::setresgid(kNobody, kNobody, kNobody) == 0 && ::setresuid(kNobody, kNobody, kNobody) == 0;
  };
  const auto other = fork_child([&] {
    const bool made =
        nobody() && ::prctl(PR_SET_DUMPABLE, 1) == 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    ::prctl(PR_SET_DUMPABLE, 1);
    told.send(made ? listen_anywhere() : Told{});
    ::pause();
  });
  if (told.receive<Told>().port == 0) GTEST_SKIP() << "this machine makes no user namespace, as in a chroot";
  struct View {
    bool own = false, may_enter = true;
    std::size_t others = 0;
    int error = 0;
  };
  const auto looker = fork_child([&] {
    if (!nobody()) ::_exit(1);
    View view;
    view.own = NetworkNamespace::of(other.pid()).is_own();
    const auto others = NetworkNamespace::others({other.pid()});
    view.others = others.size();
    view.may_enter = others.empty() || others.front().may_enter();
    view.error = errno;
    seen.send(view);
  });
  const auto view = seen.receive<View>();
  EXPECT_TRUE(view.own);
  EXPECT_EQ(view.others, 1U);
  EXPECT_FALSE(view.may_enter);
  EXPECT_EQ(view.error, EPERM);
}

}  // namespace
}  // namespace codex
