#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/os/proc_files.h"
#include "agent/sockets/tcp_sockets.h"
#include "probes/hang/request_waits.h"

namespace codex {

/// What a tree of processes that does not listen yet waits for, as far as it shows from outside. Loop thread.
class StartupWaits {
 public:
  /// `database_ports`: where its databases listen.
  explicit StartupWaits(std::set<std::uint16_t> database_ports) : waits_(0, std::move(database_ports)) {}

  /// "the database at 127.0.0.1:5432", "127.0.0.1:8080", "sleep, which is in clock_nanosleep", or "" for a
  /// program that waits in its event loop for nothing that can be told. Costs two walks of the socket table.
  std::string look(const std::vector<ProcStat>& members, TimePoint now);

 private:
  std::string silent_;  ///< address of a server that it has connected to, and neither has said a word
  std::string look_at_connections(const std::vector<ProcStat>& members, TimePoint now);

  RequestWaits waits_;
};

}  // namespace codex
