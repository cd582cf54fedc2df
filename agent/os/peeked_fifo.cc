#include "agent/os/peeked_fifo.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "agent/os/check.h"

namespace codex {

namespace {

constexpr std::size_t kPiece = 16 << 10;

/// Takes `bytes` out of `pipe` without copying them.
void discard(int pipe, int null, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::splice(pipe, nullptr, null, nullptr, bytes, SPLICE_F_NONBLOCK);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes -= static_cast<std::size_t>(n);
  }
}

bool has_no_room(int pipe) {
  pollfd query{pipe, POLLOUT, 0};
  return ::poll(&query, 1, 0) == 0;
}

}  // namespace

/// Everything below `mutex` is shared with the threads that fulfil claims.
struct PeekedFifo::State {
  struct Pending {
    std::size_t bytes = 0;
    bool fulfilled = false;
  };

  UniqueFd fifo, null;
  std::function<void()> settled;

  std::mutex mutex;
  std::deque<Pending> claims;  ///< of which the bytes are still in the pipe, from its front on
  std::uint64_t first = 0;     ///< number of the claim that is or will be the front of `claims`
  std::size_t claimed = 0;     ///< bytes of `claims`
  std::size_t unfulfilled = 0;
  bool awaited = false;

  void fulfil(std::uint64_t number) {
    const std::unique_lock lock(mutex);
    --unfulfilled;
    if (number >= first && number - first < claims.size()) claims[number - first].fulfilled = true;
    std::size_t bytes = 0;
    while (!claims.empty() && claims.front().fulfilled) {
      bytes += claims.front().bytes;
      claims.pop_front();
      ++first;
    }
    take(bytes);
    if (unfulfilled == 0 && std::exchange(awaited, false)) settled();
  }

  void take(std::size_t bytes) {
    discard(fifo.get(), null.get(), bytes);
    claimed -= bytes;
  }

  void forget_claims() {
    first += claims.size();
    claims.clear();
  }
};

PeekedFifo::PeekedFifo(UniqueFd fifo, std::function<void()> settled, int view)
    : state_(std::make_shared<State>()) {
  state_->fifo = std::move(fifo);
  state_->null = UniqueFd(check("open /dev/null", ::open("/dev/null", O_WRONLY | O_CLOEXEC)));
  state_->settled = std::move(settled);
  std::array<int, 2> ends{};
  check("pipe2", ::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC));
  tap_out_ = UniqueFd(ends[0]);
  tap_in_ = UniqueFd(ends[1]);
  // Refused when the user's pipe memory is used up: then less is seen at a time.
  [[maybe_unused]] const int size = ::fcntl(tap_in_.get(), F_SETPIPE_SZ, view);
  tap_is_smaller_ = ::fcntl(tap_in_.get(), F_GETPIPE_SZ) < ::fcntl(fd(), F_GETPIPE_SZ);
}

PeekedFifo::~PeekedFifo() {
  const std::lock_guard lock(state_->mutex);
  state_->forget_claims();
  state_->awaited = false;
}

int PeekedFifo::fd() const {
  return state_->fifo.get();
}

std::size_t PeekedFifo::peek(std::size_t budget, const See& see) {
  std::size_t known = 0, visible = 0;
  {
    const std::lock_guard lock(state_->mutex);  // Else the front could move between the two.
    known = state_->claimed + shown_;
    const ssize_t n = ::tee(fd(), tap_in_.get(), known + budget, SPLICE_F_NONBLOCK);
    if (n < 0 && errno != EAGAIN && errno != EINTR) throw_errno("tee FIFO");
    visible = n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  hides_more_ = visible == known + budget || (tap_is_smaller_ && has_no_room(tap_in_.get()));
  std::size_t left = visible - std::min(known, visible);
  discard(tap_out_.get(), state_->null.get(), visible - left);
  try {
    std::array<char, kPiece> piece;
    for (std::size_t n = 0; left > 0; left -= n) {
      n = static_cast<std::size_t>(
          check("read tap", ::read(tap_out_.get(), piece.data(), std::min(left, piece.size()))));
      shown_ += n;
      see(std::string_view(piece.data(), n));
    }
  } catch (...) {
    discard(tap_out_.get(), state_->null.get(), left);
    throw;
  }
  return visible - std::min(known, visible);
}

bool PeekedFifo::is_full() const {
  return has_no_room(fd());
}

PeekedFifo::Claim PeekedFifo::claim(std::size_t bytes) {
  const std::lock_guard lock(state_->mutex);
  const std::uint64_t number = state_->first + state_->claims.size();
  state_->claims.push_back({bytes, false});
  state_->claimed += bytes;
  ++state_->unfulfilled;
  shown_ -= bytes;
  return [state = state_, number] { state->fulfil(number); };
}

void PeekedFifo::consume_claimed() {
  const std::lock_guard lock(state_->mutex);
  state_->forget_claims();
  state_->take(state_->claimed);
}

void PeekedFifo::consume(std::size_t bytes) {
  consume_claimed();
  discard(fd(), state_->null.get(), bytes);
  shown_ -= bytes;
}

void PeekedFifo::forsake() {
  const std::lock_guard lock(state_->mutex);
  state_->forget_claims();
}

bool PeekedFifo::has_claims() const {
  const std::lock_guard lock(state_->mutex);
  return state_->unfulfilled > 0;
}

bool PeekedFifo::await_settled() {
  const std::lock_guard lock(state_->mutex);
  state_->awaited = state_->unfulfilled > 0;
  return state_->awaited;
}

}  // namespace codex
