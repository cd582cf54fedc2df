#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace codex {

/// Puts one HTTP/1 answer together from the pieces a socket gives, in bounded memory: a head of at most 16
/// KiB, and the body of at most 16 MiB that its Content-Length promises. No I/O.
///
/// | state     | until                                                                             |
/// |-----------|-----------------------------------------------------------------------------------|
/// | kReading  | head and body are here, or they cannot be an answer                               |
/// | kComplete | for ever; status() and body() hold, later bytes are ignored                       |
/// | kBroken   | for ever                                                                          |
class ReplyReader {
 public:
  enum class State { kReading, kComplete, kBroken };

  State feed(std::string_view bytes);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::string take_body() { return std::move(body_); }

 private:
  State read_head(std::size_t size);

  State state_ = State::kReading;
  std::string head_, body_;
  int status_ = 0;
  std::optional<std::size_t> length_;  ///< of the body, once the head is read
};

}  // namespace codex
