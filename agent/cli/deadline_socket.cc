#include "agent/cli/deadline_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace codex {
namespace {

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

bool DeadlineSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return fail(Error::kClosed);
    } else if (!wait(POLLOUT)) {
      return false;
    }
  }
  return true;
}

std::string_view DeadlineSocket::receive() {
  while (wait(POLLIN)) {
    const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got > 0) return {buffer_.data(), static_cast<std::size_t>(got)};
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) fail(Error::kClosed);
    if (error_ != Error::kNone) break;
  }
  return {};
}

}  // namespace codex
