#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "agent/os/unique_fd.h"

namespace codex {

constexpr int kPipeSize = 1 << 20;  ///< what an unprivileged process may ask for (pipe(7))

/// A FIFO whose bytes are looked at first and consumed only when they are stored, so that the next reader
/// finds whatever this process took no further when it died.
///
/// tee(2) shows the pipe's content from its front without taking it. What was shown is then claimed, in
/// order, and a claim that is fulfilled takes its bytes out of the pipe, whichever thread fulfils it. There
/// must be no other reader meanwhile. Loop thread, but for the claims.
class PeekedFifo {
 public:
  using See = std::function<void(std::string_view)>;

  /// Call it once, on any thread, when the claimed bytes are stored or given up. It may outlive the
  /// PeekedFifo, and takes nothing out of the pipe then. Must not throw; does not.
  using Claim = std::function<void()>;

  /// `fifo`: open for reading, non-blocking. `settled`: see await_settled(); called by a thread that fulfils
  /// a claim. Throws std::system_error.
  PeekedFifo(UniqueFd fifo, std::function<void()> settled, int view = kPipeSize);
  ~PeekedFifo();
  PeekedFifo(const PeekedFifo&) = delete;
  PeekedFifo& operator=(const PeekedFifo&) = delete;

  [[nodiscard]] int fd() const;

  /// Shows up to `budget` bytes that were not shown yet, in pieces. Returns their number, 0 if there are none
  /// now. Throws std::system_error, and what `see` throws: the piece counts as shown.
  std::size_t peek(std::size_t budget, const See& see);

  /// Bytes shown and neither claimed nor consumed.
  [[nodiscard]] std::size_t shown() const { return shown_; }

  /// The last peek() may not have seen all: its budget ended, or the kernel gave us too small a pipe to see
  /// behind what had been shown.
  [[nodiscard]] bool hides_more() const { return hides_more_; }

  /// The writer has to wait until something is consumed.
  [[nodiscard]] bool is_full() const;

  /// Claims the first `bytes` of those shown. They leave the pipe once this claim and all before it are
  /// fulfilled.
  [[nodiscard]] Claim claim(std::size_t bytes);

  /// Takes the claimed bytes out of the pipe now; their claims take nothing any more.
  void consume_claimed();

  /// As consume_claimed(), and then takes the first `bytes` of those shown.
  void consume(std::size_t bytes);

  /// Leaves the claimed bytes in the pipe whatever becomes of their claims. Peek no more after this.
  void forsake();

  [[nodiscard]] bool has_claims() const;  ///< some are not fulfilled yet, consumed or not

  /// False if there are no claims; else `settled` is called once, when the last one is fulfilled.
  bool await_settled();

 private:
  struct State;
  std::shared_ptr<State> state_;
  UniqueFd tap_in_, tap_out_;  ///< the private pipe that tee(2) fills; empty between two calls
  std::size_t shown_ = 0;
  bool tap_is_smaller_ = false;
  bool hides_more_ = false;
};

}  // namespace codex
