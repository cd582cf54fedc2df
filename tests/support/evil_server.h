#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "agent/os/unique_fd.h"

namespace codex::test {

/// One accepted connection, in the hands of a script. Every call ends early when the server is being
/// destroyed or the client is gone, and then answers false or what it has.
class EvilPeer {
 public:
  EvilPeer(UniqueFd connection, int stop) : connection_(std::move(connection)), stop_(stop) {}

  bool send(std::string_view bytes);
  /// One byte at a time with a pause before each.
  bool drip(std::string_view bytes, std::chrono::milliseconds pause);
  /// `chunk` again and again until `total` bytes went out.
  bool stream(std::string_view chunk, std::uint64_t total);
  std::string read_until(std::string_view end);
  std::string read_exactly(std::size_t count);
  /// Sends nothing more, keeps the connection open.
  void wait_until_closed();
  /// Closes with RST.
  void reset();
  [[nodiscard]] int fd() const { return connection_.get(); }
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  bool wait_for(short events, int timeout_milliseconds);

  UniqueFd connection_;
  int stop_;
  std::uint64_t sent_bytes_ = 0;
};

/// A TCP server on 127.0.0.1 that treats every client as its script says, one after the other, in a thread.
class EvilServer {
 public:
  using Script = std::function<void(EvilPeer&)>;

  explicit EvilServer(Script script);
  ~EvilServer();
  EvilServer(const EvilServer&) = delete;
  EvilServer& operator=(const EvilServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  void serve();

  Script script_;
  std::uint16_t port_ = 0;
  UniqueFd listener_;
  UniqueFd stop_;
  std::atomic<int> connections_ = 0;
  std::atomic<std::uint64_t> sent_bytes_ = 0;
  std::jthread thread_;
};

/// A socket that listens on 127.0.0.1 at a port of the kernel's choice and accepts nothing.
UniqueFd listen_on_loopback(int backlog, std::uint16_t& port);
/// Connected to the server there.
UniqueFd connect_to(std::uint16_t port);

}  // namespace codex::test
