#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "agent/os/unique_fd.h"
#include "agent/sockets/network_namespace.h"

struct inet_diag_msg;
struct inet_diag_req_v2;

namespace codex {

/// One netlink socket to the kernel's TCP tables (sock_diag(7), linux/inet_diag.h). Every question is asked
/// and answered before the call returns; the kernel composes the answer inside recvmsg(2). Throws
/// std::system_error when it cannot be asked, and is usable again afterwards. One thread.
class InetDiag {
 public:
  /// Asks about the sockets of `network`.
  explicit InetDiag(NetworkNamespace network = {});
  [[nodiscard]] const NetworkNamespace& network() const { return network_; }

  /// `attributes`: the netlink attributes behind the message, 4-byte aligned.
  using Visit = std::function<void(const inet_diag_msg& message, std::string_view attributes)>;

  /// The one socket with exactly these addresses and ports, by hash look-up: about 1 us. False if there is
  /// none.
  bool find(const inet_diag_req_v2& question, const Visit& visit);

  /// All sockets in `question.idiag_states`. Walks the table: its cost grows with the host's. False: the
  /// table changed under the walk; what was visited is incomplete or double.
  bool walk(const inet_diag_req_v2& question, const Visit& visit);

 private:
  bool ask(const inet_diag_req_v2& question, bool dump, const Visit& visit);

  NetworkNamespace network_;
  UniqueFd netlink_;
  std::uint32_t sequence_ = 0;
};

}  // namespace codex
