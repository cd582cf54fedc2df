#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "agent/os/event_loop.h"
#include "agent/os/unique_fd.h"
#include "exporters/http/http_front.h"
#include "exporters/http/request_reader.h"

namespace codex {

/// One client of an HttpFront: reads one request, perhaps waits, writes one response, closes. Loop thread.
///
/// | state      | on                     | do                                                      |
/// |------------|------------------------|---------------------------------------------------------|
/// | kReading   | request or refusal     | kReceived; the owner calls respond() or park()          |
/// | kReading   | peer closes            | kFinished                                               |
/// | kParked    | peer hangs up          | kFinished                                               |
/// | kWriting   | all written            | kLingering if bytes are unread, else kFinished          |
/// | kLingering | end of input or budget | kFinished                                               |
///
/// Deadlines are the owner's: it looks at deadline() of all its connections with one timer.
class HttpConnection {
 public:
  enum class State { kReading, kReceived, kParked, kWriting, kLingering, kFinished };
  /// Called when the state became kReceived or kFinished; may destroy the connection.
  using Changed = std::function<void()>;

  HttpConnection(EventLoop& loop, Priority priority, UniqueFd socket, const HttpLimits& limits,
                 std::optional<uid_t> peer_uid, Changed changed);
  /// Cuts a connection that has not finished; the peer sees a reset.
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Writes the response; `changed` is called when it is gone, perhaps before this returns.
  void respond(const HttpResponse& response);
  /// Keeps the client waiting; `fallback` is what it gets at the end of park_limit.
  void park(HttpResponse fallback);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const RequestReader& reader() const { return reader_; }
  [[nodiscard]] std::optional<uid_t> peer_uid() const { return peer_uid_; }
  [[nodiscard]] const HttpResponse& fallback() const { return fallback_; }
  [[nodiscard]] TimePoint deadline() const { return deadline_; }

 private:
  void ready(std::uint32_t events);
  void read();
  void write();
  void drain();
  void finish();

  EventLoop& loop_;
  UniqueFd socket_;
  HttpLimits limits_;
  std::optional<uid_t> peer_uid_;
  Changed changed_;
  RequestReader reader_;
  State state_ = State::kReading;
  TimePoint deadline_;
  std::string bytes_;
  HttpResponse fallback_;
  std::size_t written_ = 0;
  std::size_t drained_ = 0;
  FdWatch watch_;  // last: dies before the socket
};

}  // namespace codex
