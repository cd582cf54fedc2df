#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/control/operations.h"
#include "agent/record/event_history.h"
#include "exporters/http/http_front.h"
#include "exporters/snapshot.h"

/// The control API: HTTP/1.1 with JSON over the Unix socket STATE_DIRECTORY/control.sock, one request a
/// connection. Only the agent's own uid and root get in (SO_PEERCRED).
///
///   POST /v1/start | /v1/stop | /v1/restart   body {"backends": ["name", ...]}; [] or absent = all
///   POST /v1/shutdown                         stop every backend, then end the agent; start and restart get
///                                             409 then
///       -> 202 {"operation": 17}
///       -> 404 {"error": "no backend is named \"x\"; there are: api, web"}   400 {"error": ...}
///
///   POST /v1/handover?pid=N                   -> 202; the agent ends at once and leaves its backends running,
///                                             for the agent N that asks and waits. From then on commands get
///                                             409 {"handed_over": true, ...}: the next agent is to be asked.
///
///   GET /v1/operations/17?seen=N
///       Waits (at most 20 s) until the operation's revision is above N, then answers
///       {"operation": 17, "command": "start", "revision": 5, "done": false,
///        "results": [{"backend": "api", "done": true, "code": 0, "message": "...",
///                     "output": ["what a backend whose start failed wrote last", ...]}],
///        "status": {the status document}}
///       code: 0 ok, 1 failed, 7 refused (port taken by another); meaningful once done.
///       With "handed_over": true it never will be done here: the next agent is to be asked.
///       When the wait ends without news the same revision comes back: ask again.
///
///   GET /v1/status                            the status document, as GET /api/v1/status on TCP
///
///   GET /v1/events?after=SEQ&wait=1
///       {"events": [{"seq","at","backend","event","from","to","reason","detail"}...], "last": SEQ}; with
///       wait=1 waits (at most 20 s) while there is none. `at` is RFC 3339, UTC.
///
/// Errors are {"error": "one line for a person"}.

namespace codex {

/// What the control API works on; everything outlives the routes.
struct ControlContext {
  std::vector<OperationTarget*> backends;
  Operations& operations;
  EventHistory& events;
  SnapshotSource snapshot;
  std::function<bool()> shutting_down;                       ///< nothing may be started any more
  std::function<bool()> handing_over;                        ///< another agent is about to take over
  std::function<void(const Operation& operation)> shutdown;  ///< end the agent once `operation` is done
  std::function<void()> hand_over;                           ///< end the agent, leave the backends
};

/// Adds the routes above to `routes`.
void add_control_routes(HttpRoutes& routes, ControlContext context);

}  // namespace codex
