#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/os/process_table.h"
#include "agent/process/process_tree.h"
#include "agent/sockets/sock_diag.h"
#include "agent/text/redactor.h"
#include "exporters/snapshot.h"
#include "probes/probe_context.h"

namespace codex {

/// Who listens on a backend's port: one of its own processes, or a stranger. Loop thread.
class PortWatch {
 public:
  /// `sock_diag`: the backend's own, which is led to the network namespace it listens in.
  PortWatch(std::uint16_t port, SockDiag& sock_diag, ProcessTree& tree, const Redactor& redactor);

  /// Asks the kernel now: 20 us, plus a look through the tree's descriptors when the socket is a new one.
  /// What is not found in the network namespace asked last is looked for, ten times a second at most, in
  /// those of the tree's processes and in our own; `sock_diag` is led to where the tree listens, and home
  /// when nobody of the tree is left there. Throws std::system_error when the kernel cannot be asked; the
  /// last answer is kept.
  const PortSnapshot& look();
  [[nodiscard]] const PortSnapshot& last() const { return seen_.port; }

  /// The process of ours that had the listening socket at the last look.
  [[nodiscard]] std::optional<ProcessId> server() const { return seen_.server; }

  /// The address it is bound to, as in Listener, and the network namespace of that socket.
  [[nodiscard]] const std::string& server_address() const { return seen_.address; }
  [[nodiscard]] const NetworkNamespace& server_network() const { return sock_diag_.network(); }

  /// Whether `listener` belongs to the tree, and a description of its holder.
  ListenerHolder holder_of(const Listener& listener);

  /// A sentence about the stranger who holds the port: pid, command, user, since when, and what to do.
  /// nullopt if the port is free or ours.
  std::optional<std::string> describe_stranger();

  /// Why the backend was not reached there at the last look: "nothing listens on port 3000", and on which
  /// port the backend does; or that somebody else has it. Costs a look through all descriptors of the tree.
  [[nodiscard]] std::string describe_absence() const;

 private:
  struct Holder {
    std::uint64_t inode = 0;
    std::optional<ProcessId> process;  ///< nullopt: nobody we may look at
    std::string command;
    bool ours = false;
  };
  /// What one look sees.
  struct Sighting {
    PortSnapshot port;
    std::optional<ProcessId> server;
    std::string address;
  };
  const Holder& find(const Listener& listener);
  Sighting look_in(SockDiag& sock_diag);
  void look_elsewhere(Sighting& seen);
  [[nodiscard]] std::vector<pid_t> member_pids() const;

  std::uint16_t port_;
  SockDiag& sock_diag_;
  ProcessTree& tree_;
  const Redactor& redactor_;
  Holder cache_;
  Sighting seen_;  ///< at the last look
  TimePoint looked_elsewhere_at_{};
};

}  // namespace codex
