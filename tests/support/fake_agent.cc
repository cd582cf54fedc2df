#include "tests/support/fake_agent.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <optional>

#include "agent/os/check.h"

namespace codex {
namespace {

/// Until the end of the head and Content-Length bytes of body; nullopt if the client left before.
std::optional<std::pair<std::string, std::string>> read_request(int fd) {
  std::string bytes;
  std::array<char, 4096> buffer{};
  for (;;) {
    if (const auto end = bytes.find("\r\n\r\n"); end != std::string::npos) {
      std::size_t length = 0;
      if (const auto field = bytes.find("Content-Length: "); field < end)
        length = std::stoul(bytes.substr(field + 16));
      if (bytes.size() >= end + 4 + length) return {{bytes.substr(0, end + 2), bytes.substr(end + 4)}};
    }
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return std::nullopt;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

UniqueFd listen_without_accepting(const std::filesystem::path& socket, int backlog) {
  UniqueFd listener(check("socket", ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  check("bind", ::bind(listener.get(), generic, sizeof address));
  check("listen", ::listen(listener.get(), backlog));
  return listener;
}

FakeAgent::FakeAgent(const std::filesystem::path& socket, Handler handler)
    : socket_(socket),
      handler_(std::move(handler)),
      listener_(listen_without_accepting(socket, 16)),
      stop_(check("eventfd", ::eventfd(0, EFD_CLOEXEC))),
      thread_([this] { serve(); }) {}

FakeAgent::~FakeAgent() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

FakeAgent::Answer FakeAgent::json(int status, const std::string& body) {
  return {"HTTP/1.1 " + std::to_string(status) +
              " X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body,
          Answer::Then::kClose};
}

std::vector<std::string> FakeAgent::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeAgent::serve() {
  while (listener_) {
    std::array<pollfd, 2> entries{{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}}};
    ::poll(entries.data(), entries.size(), -1);
    if (entries[0].revents != 0) return;
    serve_one(UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
}

void FakeAgent::serve_one(UniqueFd connection) {
  const auto request = read_request(connection.get());
  if (!request) return;
  const auto& [head, body] = *request;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(head.substr(0, head.find(" HTTP/")) + (body.empty() ? "" : " " + body));
  }
  const Answer answer = handler_(head, body);
  if (answer.then == Answer::Then::kDrip) return drip(connection, answer.bytes);
  send_all(connection.get(), answer.bytes);
  if (answer.then == Answer::Then::kHold) held_.push_back(std::move(connection));
  if (answer.then == Answer::Then::kDie || answer.then == Answer::Then::kGone) {
    listener_.reset();
    held_.clear();
    if (answer.then == Answer::Then::kGone) std::filesystem::remove(socket_);
  }
}

void FakeAgent::drip(const UniqueFd& connection, const std::string& bytes) {
  for (std::size_t i = 0;; i = (i + 1) % bytes.size()) {
    if (::send(connection.get(), bytes.data() + i, 1, MSG_NOSIGNAL) != 1) return;
    pollfd entry{stop_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 1) != 0) return;
  }
}

}  // namespace codex
