#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <string_view>

#include "agent/os/clock.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// A connection to a Unix socket on which every wait ends at one deadline for the whole exchange.
class DeadlineSocket {
 public:
  enum class Error { kNone, kNoListener, kDenied, kDeadline, kCancelled, kClosed };

  /// `tick` is called at least every 100 ms while waiting; false cancels.
  DeadlineSocket(TimePoint deadline, std::function<bool()> tick)
      : deadline_(deadline), tick_(std::move(tick)) {}

  /// connect(2), never blocking: on a full backlog, which a stopped listener has, it tries again.
  bool connect(const std::filesystem::path& path);

  /// Sends all of it; never raises SIGPIPE.
  bool send(std::string_view bytes);

  /// What came next, valid until the next call; "" at the end of the stream (kClosed) or on another error.
  std::string_view receive();

  [[nodiscard]] Error error() const { return error_; }

 private:
  bool fail(Error error);
  bool wait(short events);

  TimePoint deadline_;
  std::function<bool()> tick_;
  UniqueFd fd_;
  Error error_ = Error::kNone;
  std::array<char, 64 * 1024> buffer_;
};

}  // namespace codex
