#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>

#include "agent/os/clock.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// A connection to a Unix socket on which every wait ends at one deadline for the whole exchange.
class DeadlineSocket {
 public:
  enum class Error { kNone, kNoListener, kDenied, kDeadline, kCancelled, kClosed, kTooLong };

  /// `tick` is called at least every 100 ms while waiting; false cancels.
  DeadlineSocket(TimePoint deadline, std::function<bool()> tick)
      : deadline_(deadline), tick_(std::move(tick)) {}

  /// connect(2), never blocking: on a full backlog, which a stopped listener has, it tries again.
  bool connect(const std::filesystem::path& path);

  /// Bytes read, 0 at the end of the stream, -1 on error.
  ssize_t read(char* data, std::size_t size);
  /// Bytes written or -1; never raises SIGPIPE.
  ssize_t write(const char* data, std::size_t size);

  [[nodiscard]] Error error() const { return error_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  bool fail(Error error);
  bool wait(short events);
  bool fill();
  bool within_limits();

  TimePoint deadline_;
  std::function<bool()> tick_;
  UniqueFd fd_;
  Error error_ = Error::kNone;
  std::string buffer_;
  std::size_t consumed_ = 0;    // of buffer_
  std::size_t received_ = 0;    // in all
  std::size_t line_bytes_ = 0;  // since the last line end, until the head has ended
  std::size_t head_bytes_ = 0;
  bool head_ended_ = false;
};

}  // namespace codex
