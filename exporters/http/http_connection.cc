#include "exporters/http/http_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace codex {

namespace {

// What a client may still send after we have answered. Enough for a browser's body, too little to keep us
// busy.
constexpr std::size_t kDrainBytes = 256 * 1024;

}  // namespace

HttpConnection::HttpConnection(EventLoop& loop, Priority priority, UniqueFd socket, const HttpLimits& limits,
                               std::optional<uid_t> peer_uid, Changed changed)
    : loop_(loop),
      socket_(std::move(socket)),
      limits_(limits),
      peer_uid_(peer_uid),
      changed_(std::move(changed)),
      reader_(limits),
      deadline_(loop.now() + limits.request_deadline),
      watch_(
          loop, "http connection", socket_.get(), EPOLLIN, [this](std::uint32_t events) { ready(events); },
          priority) {}

HttpConnection::~HttpConnection() {
  if (!socket_) return;
  // A cut client must not go on holding the response in the kernel's send buffer.
  const linger reset{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void HttpConnection::ready(std::uint32_t events) {
  switch (state_) {
    case State::kReading:
      return read();
    case State::kParked:
      if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) finish();
      return;
    case State::kWriting:
      return write();
    case State::kLingering:
      return drain();
    case State::kReceived:
    case State::kFinished:
      return;
  }
}

void HttpConnection::read() {
  std::array<char, 16 * 1024> buffer;
  const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return finish();
  const auto state = reader_.feed({buffer.data(), static_cast<std::size_t>(n)});
  if (state == RequestReader::State::kReading) return;
  watch_.set_events(0);
  state_ = State::kReceived;
  const Changed notify = changed_;  // survives this object
  notify();
}

void HttpConnection::park(HttpResponse fallback) {
  fallback_ = std::move(fallback);
  if (state_ == State::kParked) return;
  state_ = State::kParked;
  deadline_ = loop_.now() + limits_.park_limit;
  watch_.set_events(EPOLLRDHUP);
}

void HttpConnection::respond(const HttpResponse& response) {
  bytes_ = wire_bytes(response, reader_.asks_for_head_only());
  state_ = State::kWriting;
  deadline_ = loop_.now() + limits_.response_deadline;
  write();
}

void HttpConnection::write() {
  while (written_ < bytes_.size()) {
    const ssize_t n = ::send(socket_.get(), bytes_.data() + written_, bytes_.size() - written_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return watch_.set_events(EPOLLOUT);
    if (n < 0) return finish();
    written_ += static_cast<std::size_t>(n);
  }
  if (!reader_.has_unread_bytes()) return finish();
  ::shutdown(socket_.get(), SHUT_WR);
  state_ = State::kLingering;
  watch_.set_events(EPOLLIN);
}

void HttpConnection::drain() {
  std::array<char, 16 * 1024> buffer;
  const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) drained_ += static_cast<std::size_t>(n);
  if (n <= 0 || drained_ > kDrainBytes) finish();
}

void HttpConnection::finish() {
  state_ = State::kFinished;
  watch_.reset();
  socket_.reset();
  const Changed notify = std::move(changed_);  // survives this object
  notify();
}

}  // namespace codex
