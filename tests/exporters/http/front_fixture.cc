#include "tests/exporters/http/front_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "agent/os/check.h"

namespace codex::testing {

TestClient TestClient::tcp(std::uint16_t port, int receive_buffer) {
  UniqueFd socket(check("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  if (receive_buffer > 0) {
    check("setsockopt",
          ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  check("connect", ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  return TestClient(std::move(socket));
}

TestClient TestClient::unix_socket(const std::string& path) {
  UniqueFd socket(check("socket", ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  check("connect", ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  return TestClient(std::move(socket));
}

bool TestClient::send(std::string_view bytes) {
  return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(bytes.size());
}

void TestClient::receive() {
  std::array<char, 65536> buffer;
  while (!closed_ && socket_) {
    const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    closed_ = n <= 0;
    if (n > 0) received_.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

void TestClient::shutdown_write() {
  check("shutdown", ::shutdown(socket_.get(), SHUT_WR));
}

std::string TestClient::body() const {
  const auto end = received_.find("\r\n\r\n");
  return end == std::string::npos ? "" : received_.substr(end + 4);
}

std::uint16_t port_of(const UniqueFd& listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  check("getsockname", ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
  return ntohs(address.sin_port);
}

std::size_t open_fds() {
  const std::filesystem::directory_iterator begin("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

FrontTest::FrontTest() {
  routes_.get("/hello", [](const HttpRequest&) {
    HttpResponse response;
    response.body = "hello";
    return response;
  });
  routes_.get("/big", [](const HttpRequest&) {
    HttpResponse response;
    response.body.assign(8 << 20, 'b');
    return response;
  });
  routes_.get("/park", [this](const HttpRequest&) {
    ++park_calls_;
    HttpResponse response;
    response.body = news_.empty() ? "nothing after " + std::to_string(park_calls_) : news_;
    response.park = news_.empty();
    return response;
  });
}

void FrontTest::start(HttpLimits limits, std::vector<std::string> allowed_hosts) {
  UniqueFd listener = listen_tcp("127.0.0.1", 0);
  port_ = port_of(listener);
  front_ = std::make_unique<HttpFront>(loop_, std::move(listener), routes_, limits, std::move(allowed_hosts),
                                       std::nullopt);
}

TestClient FrontTest::get(const std::string& path, const std::string& fields) {
  TestClient client = connect();
  client.send("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + "\r\n");
  return client;
}

void FrontTest::turn_until(const std::function<bool()>& done) {
  const TimePoint give_up = Clock::now() + std::chrono::seconds(20);
  while (!done()) {
    ASSERT_LT(Clock::now(), give_up) << "the front did not come to this in time";
    loop_.run_once(std::chrono::milliseconds(5));
  }
}

void FrontTest::turn_until_closed(TestClient& client) {
  turn_until([&] {
    client.receive();
    return client.closed();
  });
}

void FrontTest::settle() {
  // Connections are served in order of arrival: when this one is answered, earlier bytes were read.
  for (int i = 0; i < 2; ++i) {
    TestClient marker = get("/hello");
    turn_until_closed(marker);
  }
}

std::uint64_t FrontTest::rejected(const std::string& reason) const {
  return front_->stats().rejected.at(reason);
}

}  // namespace codex::testing
