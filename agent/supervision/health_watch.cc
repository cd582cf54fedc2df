#include "agent/supervision/health_watch.h"

#include "agent/config_files/values.h"

namespace codex {

std::optional<Report> HealthWatch::follow(const HealthFacts& facts, TimePoint now) {
  verdict_ = judge_health(facts);
  const bool outlasted = reconnect_.due(database_fails(facts.probes), others_succeed(facts.probes), now);
  if (verdict_.restart) {
    return Report{{EventType::kRestart, Cause::kProbeFailure}, verdict_.reason + ": " + verdict_.detail};
  }
  if (!outlasted) return std::nullopt;
  // A failure below its threshold keeps it from being well, and is to blame for nothing yet.
  const std::string why = verdict_.reason.empty() ? "" : ": " + verdict_.reason;
  return Report{{EventType::kRestart, Cause::kDependency},
                "The database is back, but the server has not become healthy within " +
                    format_duration(config_.reconnect_timeout) + why};
}

}  // namespace codex
