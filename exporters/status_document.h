#pragma once

#include <string>

#include "exporters/http_front.h"
#include "exporters/snapshot.h"

namespace codex {

/// The status document, schema 1: one JSON object; unknown is null; seconds and bytes in the names.
/// Keys: schema, agent{version,pid,uptime_seconds,metrics_url}, backends[]{name,state,health,desired,pid,
/// generation,uptime_seconds,restarts{total,by_reason},last_exit,last_transition{at,from,to,reason},
/// port{number,listening,owner_pid,accept_queue},probes[]{name,kind,role,outcome,reason,elapsed_seconds,
/// consecutive_failures,failure_threshold,detail},startup{duration_seconds,phases},resources{processes,
/// threads,resident_memory_bytes,cpu_seconds_total,open_fds},hang{class,since,detail}} and a few more.
std::string render_status(const Snapshot& snapshot);

/// GET /api/v1/status, /-/healthy (the loop turns), /-/ready (every wanted backend is ready, else 503).
void add_status_routes(HttpRoutes& routes, SnapshotSource source);

/// GET /: a small page for people, without scripts or external requests, under a strict CSP.
void add_status_page(HttpRoutes& routes, SnapshotSource source);

}  // namespace codex
