#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/os/event_loop.h"
#include "exporters/http/http_front.h"

namespace codex::testing {

/// A client socket that never blocks; the test's loop has to turn for answers to come.
class TestClient {
 public:
  static TestClient tcp(std::uint16_t port, int receive_buffer = 0);
  static TestClient unix_socket(const std::string& path);

  /// False if the peer is gone.
  bool send(std::string_view bytes);
  /// Takes in what is there.
  void receive();
  void close() { socket_.reset(); }
  void shutdown_write();

  [[nodiscard]] const std::string& received() const { return received_; }
  [[nodiscard]] bool closed() const { return closed_; }  ///< end of input or a reset was seen
  [[nodiscard]] std::string body() const;

 private:
  explicit TestClient(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
  std::string received_;
  bool closed_ = false;
};

std::uint16_t port_of(const UniqueFd& listener);
std::size_t open_fds();

/// A front on its own loop and a port of the kernel's choice, with a few routes: /hello, /big (8 MiB), /park
/// (waits until `news` is set), POST /echo.
class FrontTest : public ::testing::Test {
 protected:
  FrontTest();

  void start(HttpLimits limits = {}, std::vector<std::string> allowed_hosts = {});
  TestClient connect() { return TestClient::tcp(port_); }
  TestClient get(const std::string& path, const std::string& fields = "");

  /// Turns the loop until `done`; fails the test after 20 seconds.
  void turn_until(const std::function<bool()>& done);
  void turn_until_closed(TestClient& client);
  /// Turns the loop until the front has seen everything that was sent so far.
  void settle();
  [[nodiscard]] std::uint64_t rejected(const std::string& reason) const;

  EventLoop loop_;
  HttpRoutes routes_;
  std::string news_;
  int park_calls_ = 0;
  std::uint16_t port_ = 0;
  std::unique_ptr<HttpFront> front_;
};

}  // namespace codex::testing
