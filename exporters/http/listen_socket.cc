#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "agent/os/check.h"
#include "agent/os/process_table.h"
#include "agent/sockets/sock_diag.h"
#include "agent/text/display_text.h"
#include "agent/text/host_port.h"
#include "agent/text/process_text.h"
#include "exporters/http/http_front.h"

namespace codex {

namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

std::string error_text(int error) {
  return std::system_category().message(error);
}

/// "pid 4711 (python3 x.py, user anna, since 12:03)", or what little we may know.
std::string holder_of(std::uint16_t port) try {
  for (const Listener& listener : SockDiag().listeners(port)) {
    const auto pid = socket_owner_on_host(listener.inode);
    const auto process = pid ? describe_process(*pid) : std::nullopt;
    if (process) return process_text(*process, Redactor());
  }
  return "another process";
} catch (const std::system_error&) {
  return "another process";
}

std::string advice(int error, std::uint16_t port) {
  switch (error) {
    case EADDRINUSE:
      return "it is held by " + holder_of(port) + "; stop that process, or set another port";
    case EADDRNOTAVAIL:
      return "this host has no such address; see `ip address`";
    case EACCES:
      return "ports below 1024 need root or CAP_NET_BIND_SERVICE; set another port";
    default:
      return error_text(error);
  }
}

}  // namespace

UniqueFd listen_tcp(const std::string& host, std::uint16_t port) {
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* list = nullptr;
  if (::getaddrinfo(numeric.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) {
    throw std::runtime_error("cannot listen on \"" + escape_for_display(host, 80) +
                             "\": not a numeric address; use for example 127.0.0.1 or ::1");
  }
  const std::unique_ptr<addrinfo, FreeAddresses> address(list);

  UniqueFd socket(
      check("socket", ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  // Only for addresses in TIME_WAIT. SO_REUSEPORT would let a second agent share the port unnoticed.
  const int on = 1;
  check("setsockopt", ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
  if (::bind(socket.get(), address->ai_addr, address->ai_addrlen) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    const int error = errno;
    throw std::runtime_error("cannot listen on " + join_host_port(numeric, port) + ": " +
                             advice(error, port));
  }
  return socket;
}

UniqueFd listen_unix(const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    return std::runtime_error("cannot listen on " + escape_for_display(path, 256) + ": " + why);
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw refuse("a socket's path has 1 to 107 bytes; move the project to a shorter path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());

  struct stat existing {};
  if (::lstat(path.c_str(), &existing) == 0) {
    if (!S_ISSOCK(existing.st_mode)) throw refuse("there is a file of another kind; remove it");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      throw refuse("cannot remove the stale socket: " + error_text(errno));
  }
  UniqueFd socket(check("socket", ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  // bind(2) gives the file the socket inode's mode, so it never exists with a wider one.
  check("fchmod", ::fchmod(socket.get(), 0600));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    throw refuse(error_text(errno));
  }
  return socket;
}

}  // namespace codex
