#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/policy/probe_tracker.h"

namespace codex {

enum class Health { kHealthy, kDegraded, kHung };
std::string_view to_string(Health health);

/// What the probes of a running backend say together.
struct HealthVerdict {
  Health health = Health::kHealthy;
  std::string reason;    ///< "" or "database: refused", "ready: status", "overloaded", "slow"
  std::string detail;    ///< of the probe that decided
  bool restart = false;  ///< a liveness probe reached its threshold and nothing else is to blame
};

/// Judges a running backend by its probes. Pure.
///
/// A failing database or readiness probe degrades. A failing liveness probe asks for a restart, except while
/// the database may be the cause: a restart would not bring the database back. It may be the cause unless it
/// was well before the first of the failures that count, and has been asked and found well since. So after an
/// outage liveness must reach its threshold anew. Failures that were forgiven degrade, and count for nothing
/// else.
HealthVerdict judge_health(const std::vector<ProbeTracker>& probes);

/// A database probe counts as failing.
bool database_fails(const std::vector<ProbeTracker>& probes);

/// The newest attempt of every probe that asks the backend itself succeeded.
bool others_succeed(const std::vector<ProbeTracker>& probes);

}  // namespace codex
