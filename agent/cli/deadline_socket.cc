#include "agent/cli/deadline_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace codex {
namespace {

constexpr std::size_t kLineLimit = 1024;
constexpr std::size_t kHeadLimit = 16 * 1024;
constexpr std::size_t kTotalLimit = 16 * 1024 * 1024;
constexpr Duration kTickPeriod = std::chrono::milliseconds(100);
constexpr Duration kBacklogRetry = std::chrono::milliseconds(10);

int poll_milliseconds(Duration duration) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

}  // namespace

bool DeadlineSocket::fail(Error error) {
  if (error_ == Error::kNone) error_ = error;
  return false;
}

bool DeadlineSocket::connect(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = path.native();
  if (name.size() >= sizeof address.sun_path) return fail(Error::kNoListener);
  std::memcpy(address.sun_path, name.data(), name.size());
  fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_) return fail(Error::kClosed);
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  while (::connect(fd_.get(), generic, sizeof address) != 0) {
    if (errno == EACCES || errno == EPERM) return fail(Error::kDenied);
    if (errno != EAGAIN && errno != EINTR) return fail(Error::kNoListener);
    if (tick_ && !tick_()) return fail(Error::kCancelled);
    if (Clock::now() >= deadline_) return fail(Error::kDeadline);
    ::poll(nullptr, 0, poll_milliseconds(kBacklogRetry));
  }
  return true;
}

bool DeadlineSocket::wait(short events) {
  for (;;) {
    const Duration left = deadline_ - Clock::now();
    if (left <= Duration::zero()) return fail(Error::kDeadline);
    if (tick_ && !tick_()) return fail(Error::kCancelled);
    pollfd entry{fd_.get(), events, 0};
    const int ready = ::poll(&entry, 1, poll_milliseconds(std::min(left, kTickPeriod)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return fail(Error::kClosed);
  }
}

// cpp-httplib matches the status line with std::regex, which recurses once a character: a line of 28 KB
// overflows the stack.
bool DeadlineSocket::within_limits() {
  if (received_ > kTotalLimit) return fail(Error::kTooLong);
  for (std::size_t i = 0; i < buffer_.size() && !head_ended_; ++i) {
    ++head_bytes_;
    if (buffer_[i] == '\n') {
      head_ended_ = line_bytes_ == 0;
      line_bytes_ = 0;
    } else if (buffer_[i] != '\r') {
      ++line_bytes_;
    }
    if (line_bytes_ > kLineLimit || head_bytes_ > kHeadLimit) return fail(Error::kTooLong);
  }
  return true;
}

bool DeadlineSocket::fill() {
  if (!wait(POLLIN)) return false;
  buffer_.resize(64 * 1024);
  consumed_ = 0;
  const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
  buffer_.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0) return errno == EAGAIN || errno == EINTR || fail(Error::kClosed);
  received_ += buffer_.size();
  if (got == 0) return fail(Error::kClosed);
  return within_limits();
}

ssize_t DeadlineSocket::read(char* data, std::size_t size) {
  while (consumed_ == buffer_.size()) {
    if (fill()) continue;
    return error_ == Error::kClosed ? 0 : -1;
  }
  const std::size_t count = std::min(size, buffer_.size() - consumed_);
  std::memcpy(data, buffer_.data() + consumed_, count);
  consumed_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t DeadlineSocket::write(const char* data, std::size_t size) {
  for (;;) {
    const ssize_t sent = ::send(fd_.get(), data, size, MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno != EAGAIN && errno != EINTR) {
      fail(Error::kClosed);
      return -1;
    }
    if (!wait(POLLOUT)) return -1;
  }
}

}  // namespace codex
