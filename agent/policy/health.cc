#include "agent/policy/health.h"

#include <algorithm>

#include "probes/hang/hang_class.h"

namespace codex {

namespace {

std::string reason_of(const ProbeTracker& probe) {
  return probe.spec().name + ": " + std::string(to_string(probe.last_reason()));
}

bool database_may_be_the_cause(const ProbeTracker& database, const ProbeTracker& liveness) {
  const auto failures_began = liveness.threshold_began();
  if (!failures_began || !database.succeeding_since()) return true;
  const bool known_before = *database.succeeding_since() <= *failures_began;
  const bool confirmed_since = *database.last_success_began() >= *failures_began;
  return !(known_before && confirmed_since);
}

}  // namespace

std::string_view to_string(Health health) {
  switch (health) {
    case Health::kHealthy:
      return "healthy";
    case Health::kDegraded:
      return "degraded";
    case Health::kHung:
      return "hung";
  }
  return "";
}

HealthVerdict judge_probes(const std::vector<ProbeTracker>& probes) {
  const ProbeTracker* degrading = nullptr;
  const ProbeTracker* lifeless = nullptr;
  bool held = false;
  for (const auto& probe : probes) {
    if (!probe.failing() || probe.spec().role == ProbeRole::kStartup) continue;
    const bool liveness =
        probe.spec().role == ProbeRole::kLiveness && probe.spec().kind != ProbeKind::kDatabase;
    if (liveness && lifeless == nullptr) lifeless = &probe;
    // The database names the cause better than whatever fails because of it.
    if (degrading == nullptr || probe.spec().kind == ProbeKind::kDatabase) degrading = &probe;
  }
  if (degrading == nullptr) return {};
  if (lifeless != nullptr) {
    held = !lifeless->threshold_began();
    for (const auto& probe : probes) {
      if (probe.spec().kind == ProbeKind::kDatabase && database_may_be_the_cause(probe, *lifeless))
        held = true;
    }
  }
  HealthVerdict verdict{Health::kDegraded, reason_of(*degrading), degrading->last_detail(), false};
  if (degrading == lifeless && lifeless->excuse()) {
    const auto& excuse = *lifeless->excuse();
    verdict = {Health::kDegraded, excuse.reason, excuse.detail + "; " + verdict.reason, false};
  }
  if (lifeless != nullptr && !held) {
    verdict = {Health::kDegraded, reason_of(*lifeless), lifeless->last_detail(), true};
  }
  return verdict;
}

HealthVerdict judge_health(const HealthFacts& facts) {
  HealthVerdict verdict = judge_probes(facts.probes);
  if (facts.undecided) verdict.restart = false;
  // That requests wait for a database which does not answer us either is told by its probe.
  const bool told_by_probe =
      facts.hang && facts.hang->hang_class == to_string(HangClass::kDbWait) && database_fails(facts.probes);
  if (told_by_probe) verdict.restart = false;
  if (facts.hang && !told_by_probe) {
    const Health health = facts.hang->helpless ? Health::kDegraded : Health::kHung;
    return {health, "hang: " + facts.hang->hang_class, facts.hang->detail,
            verdict.restart && !facts.hang->excuses && facts.idle_wrapper.empty()};
  }
  if (!facts.idle_wrapper.empty()) return {Health::kDegraded, "wrapper_idle", facts.idle_wrapper, false};
  if (!facts.stuck_workers.empty() && !verdict.restart)
    return {Health::kDegraded, facts.stuck_workers, facts.stuck_detail, false};
  if (verdict.health == Health::kHealthy && facts.silent_port) {
    const std::string port = std::to_string(*facts.silent_port);
    return {Health::kDegraded, "port: refused", "nothing of ours listens on port " + port, false};
  }
  return verdict;
}

bool database_fails(const std::vector<ProbeTracker>& probes) {
  return std::any_of(probes.begin(), probes.end(), [](const ProbeTracker& probe) {
    return probe.spec().kind == ProbeKind::kDatabase && probe.failing();
  });
}

bool others_succeed(const std::vector<ProbeTracker>& probes) {
  return std::all_of(probes.begin(), probes.end(), [](const ProbeTracker& probe) {
    return probe.spec().kind == ProbeKind::kDatabase || probe.spec().role == ProbeRole::kStartup ||
           probe.succeeding();
  });
}

}  // namespace codex
