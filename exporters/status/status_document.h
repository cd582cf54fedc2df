#pragma once

#include <string>

#include "exporters/http/http_front.h"
#include "exporters/recent.h"
#include "exporters/snapshot.h"

namespace codex {

/// The status document, schema 1: one JSON object; unknown is null; seconds and bytes in the names.
/// Keys: schema, agent{version,pid,uptime_seconds,metrics_url}, backends[]{name,state,health,desired,pid,
/// generation,uptime_seconds,restarts{total,by_reason},last_exit,last_transition{at,from,to,reason},
/// port{number,listening,owner_pid,accept_queue},probes[]{name,kind,role,outcome,reason,elapsed_seconds,
/// consecutive_failures,failure_threshold,detail},startup{duration_seconds,phases},resources{processes,
/// threads,resident_memory_bytes,used_memory_bytes,cpu_seconds_total,open_fds},hang{class,since,detail}} and a few more.
std::string render_status(const Snapshot& snapshot);

/// The history document, schema 1: the last hour of every backend, one JSON object. Every series has
/// kRecentSlots values, oldest first, the last one of now; null is unknown. Keys: schema, at, span_seconds,
/// step_seconds, backends[]{name,states[]{state,reason,begin_seconds_ago,end_seconds_ago},probes[]{name,
/// latency_seconds[],failed[]},used_memory_bytes[],cpu_ratio[],events[]{at,from,to,reason,detail}}.
std::string render_history(const Snapshot& snapshot, const std::vector<BackendRecent>& recent);

/// GET /api/v1/history
void add_history_route(HttpRoutes& routes, SnapshotSource source, RecentSource recent);

/// GET /api/v1/status, /-/healthy (the loop turns), /-/ready (every wanted backend is ready, else 503).
void add_status_routes(HttpRoutes& routes, SnapshotSource source);

}  // namespace codex
