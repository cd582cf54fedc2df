#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/os/clock.h"
#include "probes/database/postgres_settings.h"

namespace codex {

/// One client of a database as the database sees it (pg_stat_activity, pg_blocking_pids()). Texts are raw.
struct PostgresClient {
  int pid = 0;                ///< of its server process
  std::uint16_t port = 0;     ///< of the client's end of the connection; 0 on a Unix socket
  std::string state;          ///< "active" "idle" "idle in transaction" ...; "" if we may not know
  std::string waits_for;      ///< "Lock: relation"; "" if it does not wait
  double seconds = 0;         ///< in this state
  std::vector<int> blockers;  ///< server processes that hold what it waits for
  std::string application, user, query;
};

struct PostgresView {
  std::string error;                    ///< "" or why there is nothing to see; raw
  std::vector<PostgresClient> clients;  ///< of this database, the longest in their state first; at most 100
};

/// Asks PostgreSQL who waits for whom. Takes `limit` at most, whatever name service and server do; what is
/// not done by then goes on in a thread of its own until the process ends. For a process that is about to.
PostgresView look_at_postgres(const PostgresSettings& settings, Duration limit);

}  // namespace codex
