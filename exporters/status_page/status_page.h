#pragma once

#include "exporters/http/http_routes.h"
#include "exporters/recent.h"
#include "exporters/snapshot.h"

namespace codex {

/// GET /: the page for people; /status.css and /status.js, which it is made of; /docs, which is README.md, and
/// /docs/PATH for each document. Complete without scripts; with them it stays up to date. Nothing is asked of
/// anybody else, and a strict CSP sees to that.
void add_status_page(HttpRoutes& routes, SnapshotSource source, RecentSource recent);

}  // namespace codex
