#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "exporters/http/http_front.h"
#include "exporters/http/http_head.h"

namespace codex {

/// Puts one request together from the pieces a socket gives, in bounded memory. No I/O.
///
/// | state    | until                                                                                  |
/// |----------|----------------------------------------------------------------------------------------|
/// | kReading | the head and its body are here, or something is wrong                                   |
/// | kComplete| for ever; request() is the bytes of exactly one request, later bytes are ignored        |
/// | kRefused | for ever; error_status() is the answer                                                  |
class RequestReader {
 public:
  enum class State { kReading, kComplete, kRefused };

  explicit RequestReader(const HttpLimits& limits);

  State feed(std::string_view bytes);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const std::string& request() const { return bytes_; }
  [[nodiscard]] const HttpHead& head() const { return *head_; }  ///< kComplete only, as body()
  [[nodiscard]] std::string_view body() const { return std::string_view(bytes_).substr(head_size_); }
  [[nodiscard]] bool asks_for_head_only() const { return head_ && head_->method == "HEAD"; }
  [[nodiscard]] int error_status() const { return error_status_; }

  /// The client sent, or is about to send, bytes that nobody will read: closing now could destroy the answer
  /// on its way (RFC 9112 section 9.6).
  [[nodiscard]] bool has_unread_bytes() const { return unread_; }

 private:
  void finish_head(std::size_t size);
  void finish_body();
  State refuse(int status);

  std::size_t head_limit_, body_limit_;
  State state_ = State::kReading;
  std::string bytes_;
  std::size_t scanned_ = 0;
  std::size_t head_size_ = 0;
  std::size_t total_ = 0;  ///< bytes of the request; 0 while the head is not complete
  std::optional<HttpHead> head_;
  int error_status_ = 0;
  bool unread_ = false;
};

}  // namespace codex
