#pragma once

#include <string>
#include <string_view>

#include "exporters/http/http_front.h"
#include "exporters/snapshot.h"

namespace codex {

enum class ExpositionFormat { kText004, kOpenMetrics100 };

/// Format that an Accept header asks for (RFC 9110 section 12.5.1, q-values); anything unknown is 0.0.4.
ExpositionFormat negotiate_format(std::string_view accept);

/// True if Accept-Encoding takes gzip with q > 0.
bool accepts_gzip(std::string_view accept_encoding);

/// Value of the Content-Type header.
std::string_view content_type(ExpositionFormat format);

/// What the exposition shows beside the snapshot.
struct ExpositionExtras {
  HttpStats http;
  double collect_seconds = 0;  ///< time this exposition took so far
};

/// The complete /metrics page. Deterministic: families in catalogue order, series sorted.
std::string render_exposition(const Snapshot& snapshot, const ExpositionExtras& extras,
                              ExpositionFormat format);

/// gzip (RFC 1952) of `text`.
std::string gzip(std::string_view text);

/// Adds GET /metrics to `routes`: negotiation, gzip, Vary. `http_stats` gives the front's own counters.
void add_metrics_route(HttpRoutes& routes, SnapshotSource source, std::function<HttpStats()> http_stats);

}  // namespace codex
