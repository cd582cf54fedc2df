#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervision/probe_tracker.h"

namespace codex {

enum class Health { kHealthy, kDegraded, kHung };
std::string_view to_string(Health health);

/// What the probes of a running backend say together.
struct HealthVerdict {
  Health health = Health::kHealthy;
  std::string reason;    ///< "" or "database: refused", "ready: status"
  std::string detail;    ///< of the probe that decided
  bool restart = false;  ///< a liveness probe reached its threshold and nothing else is to blame
};

/// Judges a running backend by its probes. Pure.
///
/// A failing database or readiness probe degrades. A failing liveness probe asks for a restart, except while
/// the database may be the cause: a restart would not bring the database back. It may be the cause unless it
/// was well before the first of the failures that count, and has been asked and found well since. So after an
/// outage liveness must reach its threshold anew; so it must after a hang that was over at `hang_over_at`,
/// for what failed during that has been dealt with.
HealthVerdict judge_health(const std::vector<ProbeTracker>& probes,
                           std::optional<TimePoint> hang_over_at = std::nullopt);

/// A database probe counts as failing.
bool database_fails(const std::vector<ProbeTracker>& probes);

/// The newest attempt of every probe that asks the backend itself succeeded.
bool others_succeed(const std::vector<ProbeTracker>& probes);

}  // namespace codex
