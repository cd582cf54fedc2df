#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/os/process_id.h"
#include "agent/os/process_stat.h"
#include "agent/sockets/tcp_sockets.h"

namespace codex {

/// A process of the tree that has to do with the port.
struct PortProcess {
  ProcessId id;
  pid_t parent = 0;
  std::string command;   ///< as in /proc/PID/cmdline
  bool listens = false;  ///< it holds a listening socket of the port
  bool serves = false;   ///< it has been seen with an accepted connection
};

/// Who of the tree serves the port: its workers. Pure.
///
/// A process whose child has to do with the port is a master (gunicorn, nginx, Puma, the two kinds of Node
/// cluster, Flask's reloader): it holds the listening socket for its children, or accepts for them, and serves
/// nobody. It serves itself if it was seen with a connection while no child of it ever was: then the children
/// have only inherited the socket. A master that hands connections on has workers without the socket; those
/// that were not seen with a connection yet are told by the command line of a sister.
std::vector<ProcessId> workers_of(const std::vector<PortProcess>& tree);

/// Finds out who serves a port. A look costs all descriptors of the tree. Loop thread.
class ServingGroup {
 public:
  /// `members`: the live processes of the tree.
  ServingGroup(std::uint16_t port, std::function<std::vector<ProcStat>()> members)
      : port_(port), members_(std::move(members)) {}

  /// `accepted`: inodes of the server's ends of connections. Throws std::system_error.
  void look(TcpSockets& sockets, const std::set<std::uint64_t>& accepted);

  [[nodiscard]] const std::vector<ProcessId>& workers() const { return workers_; }
  /// Who of the workers had this socket at the last look.
  [[nodiscard]] std::optional<ProcessId> owner_of(std::uint64_t inode) const;

 private:
  std::uint16_t port_;
  std::function<std::vector<ProcStat>()> members_;
  std::set<ProcessId> seen_serving_;
  std::vector<ProcessId> workers_;
  std::map<std::uint64_t, ProcessId> owners_;
};

}  // namespace codex
