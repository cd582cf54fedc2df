#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "agent/os/clock.h"

namespace codex {

/// Asks the agent over its Unix socket; one connection a request. Every call ends at its deadline whatever
/// the other side does: silent, stopped, dripping, endless.
class ControlClient {
 public:
  enum class Trouble {
    kNone,
    kNoAgent,    ///< nobody listens: no socket, or a stale one
    kDenied,     ///< the socket is another user's
    kNoAnswer,   ///< connected, or waiting for a place in the queue, until the deadline
    kBroken,     ///< the connection ended early, or the answer is not HTTP
    kCancelled,  ///< `tick` said so
  };

  struct Reply {
    Trouble trouble = Trouble::kNone;
    int status = 0;    ///< HTTP status, if there is no trouble
    std::string body;  ///< at most 16 MiB
  };

  /// Called at least every 100 ms while a request waits; false cancels it.
  using Tick = std::function<bool()>;

  explicit ControlClient(std::filesystem::path socket) : socket_(std::move(socket)) {}

  /// Plain calls. The agent answers these at once, so silence for longer means that it is stopped.
  static constexpr Duration kPlainDeadline = std::chrono::seconds(3);
  /// Calls that the agent may hold back for 20 s.
  static constexpr Duration kLongPollDeadline = std::chrono::seconds(25);

  [[nodiscard]] Reply get(const std::string& path, Duration deadline = kPlainDeadline,
                          const Tick& tick = {}) const;
  [[nodiscard]] Reply post(const std::string& path, const std::string& json,
                           Duration deadline = kPlainDeadline, const Tick& tick = {}) const;

  /// Whether somebody accepts connections.
  [[nodiscard]] bool agent_listens() const;

 private:
  std::filesystem::path socket_;
};

}  // namespace codex
