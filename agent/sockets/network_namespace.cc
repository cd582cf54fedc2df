#include "agent/sockets/network_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>
#include <thread>
#include <utility>

namespace codex {

namespace {

/// 0 if there is no such process or it may not be looked at.
ino_t inode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

NetworkNamespace NetworkNamespace::open(pid_t pid) {
  static const ino_t own = inode_of("/proc/self/ns/net");
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  NetworkNamespace result;
  if (const auto inode = inode_of(path); inode == own || inode == 0) return result;
  UniqueFd handle(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  // Asked again through the handle: the process may have moved on in between.
  if (!handle || ::fstat(handle.get(), &info) != 0 || info.st_ino == own) return result;
  result.handle_ = std::make_shared<const UniqueFd>(std::move(handle));
  result.inode_ = info.st_ino;
  return result;
}

NetworkNamespace NetworkNamespace::of(pid_t pid) {
  auto network = open(pid);
  return network.may_enter() ? network : NetworkNamespace();
}

std::vector<NetworkNamespace> NetworkNamespace::others(const std::vector<pid_t>& pids) {
  std::vector<NetworkNamespace> found;
  for (const pid_t pid : pids) {
    auto network = open(pid);
    if (network.is_own() || std::find(found.begin(), found.end(), network) != found.end()) continue;
    found.push_back(std::move(network));
  }
  return found;
}

bool NetworkNamespace::may_enter() const noexcept {
  return is_own() || socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) || errno != EPERM;
}

UniqueFd NetworkNamespace::socket(int domain, int type, int protocol) const noexcept {
  if (!handle_) return UniqueFd(::socket(domain, type, protocol));
  int made = -1, error = 0;
  try {
    std::thread([&] {
      if (::setns(handle_->get(), CLONE_NEWNET) == 0) made = ::socket(domain, type, protocol);
      error = errno;
    }).join();
  } catch (const std::exception&) {
    error = EAGAIN;  // pthread_create(3) has no other reason
  }
  errno = error;
  return UniqueFd(made);
}

}  // namespace codex
