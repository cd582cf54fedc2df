#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "exporters/http/http_front.h"
#include "tests/exporters/http/front_fixture.h"

namespace codex {
namespace {

namespace fs = std::filesystem;
using testing::FrontTest;
using ::testing::HasSubstr;
using testing::port_of;
using testing::TestClient;

template <typename Fn>
std::string error_of(Fn&& fn) {
  try {
    fn();
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "(no error)";
}

int option(const UniqueFd& socket, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(socket.get(), SOL_SOCKET, name, &value, &size), 0);
  return value;
}

TEST(ListenTcp, GivesANonBlockingListenerThatNoChildInheritsOrShares) {
  const UniqueFd socket = listen_tcp("127.0.0.1", 0);
  EXPECT_NE(port_of(socket), 0);
  EXPECT_EQ(option(socket, SO_ACCEPTCONN), 1);
  EXPECT_EQ(option(socket, SO_REUSEPORT), 0);
  EXPECT_NE(::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(socket.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(ListenTcp, LocalhostIsIpv4Loopback) {
  const UniqueFd socket = listen_tcp("localhost", 0);
  TestClient::tcp(port_of(socket));
}

TEST(ListenTcp, ASecondListenerFailsAndNamesTheHolder) {
  const UniqueFd first = listen_tcp("127.0.0.1", 0);
  const std::uint16_t port = port_of(first);
  const std::string error = error_of([&] { listen_tcp("127.0.0.1", port); });
  EXPECT_THAT(error, HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(error, HasSubstr("pid " + std::to_string(::getpid())));
  EXPECT_THAT(error, HasSubstr("exporters_test"));
}

TEST(ListenTcp, RefusesNamesAndForeignAddresses) {
  EXPECT_THAT(error_of([] { listen_tcp("agent.example", 0); }), HasSubstr("not a numeric address"));
  EXPECT_THAT(error_of([] { listen_tcp("", 0); }), HasSubstr("not a numeric address"));
  EXPECT_THAT(error_of([] { listen_tcp("192.0.2.1", 0); }), HasSubstr("no such address"));
}

class ListenUnixTest : public FrontTest {
 protected:
  ListenUnixTest() {
    std::string pattern = (fs::temp_directory_path() / "codex-listen-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ / "control.sock";
  }
  ~ListenUnixTest() override { fs::remove_all(directory_); }

  void start_unix(uid_t allowed_uid) {
    HttpLimits limits;
    limits.body_bytes = 64 * 1024;
    front_ = std::make_unique<HttpFront>(loop_, listen_unix(path_.string()), routes_, limits,
                                         std::vector<std::string>{}, allowed_uid);
  }

  fs::path directory_, path_;
};

TEST_F(ListenUnixTest, MakesASocketForItsOwnerOnly) {
  const UniqueFd socket = listen_unix(path_.string());
  struct stat status {};
  ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_NE(::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ListenUnixTest, ReplacesAStaleSocketButNoOtherFile) {
  listen_unix(path_.string()).reset();
  ASSERT_TRUE(fs::exists(path_));
  listen_unix(path_.string()).reset();
  fs::remove(path_);
  std::ofstream(path_) << "precious";
  EXPECT_THAT(error_of([&] { listen_unix(path_.string()); }), HasSubstr("another kind"));
  EXPECT_EQ(fs::file_size(path_), 8U);
}

TEST_F(ListenUnixTest, SaysWhenThePathIsTooLong) {
  const std::string base = directory_.string() + "/";
  EXPECT_TRUE(listen_unix(base + std::string(107 - base.size(), 's')));
  EXPECT_THAT(error_of([&] { listen_unix(base + std::string(108 - base.size(), 's')); }),
              HasSubstr("107 bytes"));
  EXPECT_THAT(error_of([] { listen_unix(""); }), HasSubstr("107 bytes"));
  EXPECT_THAT(error_of([&] { listen_unix(base + "missing/s"); }), HasSubstr("No such file or directory"));
}

TEST_F(ListenUnixTest, ServesItsOwnUserAndTellsTheHandlerWhoItIs) {
  std::optional<uid_t> peer;
  routes_.post("/echo", [&](const HttpRequest& request) {
    peer = request.peer_uid;
    HttpResponse response;
    response.body = request.body;
    return response;
  });
  start_unix(::getuid());
  TestClient client = TestClient::unix_socket(path_.string());
  const std::string body(64 * 1024, 'b');
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n");
  client.send(body);
  turn_until_closed(client);
  EXPECT_EQ(client.body(), body);
  EXPECT_EQ(peer, ::getuid());
}

/// Connects as another user and expects to be hung up on. Runs in a forked child: no gtest in here.
int connect_as_nobody(const std::string& path) {
  ::alarm(20);
  if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 1;
  try {
    TestClient client = TestClient::unix_socket(path);
    client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!client.closed()) client.receive();
    return client.received().empty() ? 0 : 2;
  } catch (...) {
    return 3;
  }
}

TEST_F(ListenUnixTest, HangsUpOnOtherUsers) {
  if (::getuid() != 0) {
    // Not root, so no other user to be: let the front belong to somebody else instead.
    start_unix(::getuid() + 1);
    TestClient client = TestClient::unix_socket(path_.string());
    turn_until_closed(client);
  } else {
    start_unix(::getuid());
    fs::permissions(directory_, fs::perms(0755));
    fs::permissions(path_, fs::perms(0777));
    const pid_t child = ::fork();
    if (child == 0) ::_exit(connect_as_nobody(path_.string()));
    int status = 0;
    turn_until([&] { return ::waitpid(child, &status, WNOHANG) == child; });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  EXPECT_EQ(rejected("forbidden"), 1U);
}

}  // namespace
}  // namespace codex
