#pragma once

#include <sys/types.h>

#include <memory>
#include <vector>

#include "agent/os/unique_fd.h"

namespace codex {

/// A network namespace (network_namespaces(7)): a socket belongs for life to the one in which it was made,
/// and reaches and is told of that one only. Copies share one handle. Any thread.
class NetworkNamespace {
 public:
  /// The one this process is in.
  NetworkNamespace() = default;

  /// The one `pid` is in; our own if it is the same, if the process is gone, or if we may not enter it.
  static NetworkNamespace of(pid_t pid);

  /// Those of `pids` that are not our own, each once, whether or not we may enter them.
  static std::vector<NetworkNamespace> others(const std::vector<pid_t>& pids);

  [[nodiscard]] bool is_own() const { return !handle_; }

  /// Whether we are allowed to make sockets there. Costs one.
  [[nodiscard]] bool may_enter() const noexcept;

  /// socket(2), made there; empty with errno set if it cannot be. In another namespace than our own it needs
  /// CAP_SYS_ADMIN (setns(2)) and takes about 0.1 ms: the thread that enters it lives only for that, because
  /// one that could not come back would be lost to us.
  [[nodiscard]] UniqueFd socket(int domain, int type, int protocol) const noexcept;

  friend bool operator==(const NetworkNamespace& a, const NetworkNamespace& b) {
    return a.inode_ == b.inode_;
  }

 private:
  static NetworkNamespace open(pid_t pid);

  std::shared_ptr<const UniqueFd> handle_;  ///< null: our own
  ino_t inode_ = 0;                         ///< unique while the handle keeps the namespace; 0: our own
};

}  // namespace codex
