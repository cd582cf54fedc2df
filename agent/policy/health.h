#pragma once

#include <cstdint>
#include <optional>
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

/// Judges a running backend by its probes alone. Pure.
///
/// A failing database or readiness probe degrades. A failing liveness probe asks for a restart, except while
/// the database may be the cause: a restart would not bring the database back. It may be the cause unless it
/// was well before the first of the failures that count, and has been asked and found well since. So after an
/// outage liveness must reach its threshold anew. Failures that were forgiven degrade, and count for nothing
/// else.
HealthVerdict judge_probes(const std::vector<ProbeTracker>& probes);

/// A hang that is confirmed.
struct ConfirmedHang {
  std::string hang_class, detail;  ///< safe to show
  bool helpless = false;           ///< a restart would bring nothing back of what it waits for
  bool excuses = false;            ///< it is a reason for probes to fail that holds their restart, too
};

/// Everything that the health of a running backend is judged by.
struct HealthFacts {
  const std::vector<ProbeTracker>& probes;
  std::string idle_wrapper{};                  ///< "", or that the application has ended below its wrapper
  bool undecided = false;                      ///< whether it has ended is not yet known
  std::optional<ConfirmedHang> hang{};         ///< while one is confirmed
  std::string stuck_workers{};                 ///< "", or which of several hang while others serve
  std::string stuck_detail{};                  ///< the reason of the first
  std::optional<std::uint16_t> silent_port{};  ///< its port, while nobody of ours listens there
};

/// Judges a running backend. Pure. Who names the cause, the strongest first:
///
/// | what is known            | health            | restart                                             |
/// |--------------------------|-------------------|-----------------------------------------------------|
/// | a hang                   | hung, or degraded | as judge_probes(), unless the hang excuses them: the |
/// |                          |                   | hang policy is often sooner, and never the last word |
/// | db_wait, and the         | as judge_probes() | never                                               |
/// | database's probe fails   |                   |                                                     |
/// | an idle wrapper          | degraded          | never: it was decided when that was found           |
/// | the probes               | as judge_probes() | as judge_probes(), but not while undecided          |
/// | some of several workers  | degraded          | as judge_probes()                                   |
/// | nobody listens           | degraded          | never: nodemon may just be reloading                |
HealthVerdict judge_health(const HealthFacts& facts);

/// A database probe counts as failing.
bool database_fails(const std::vector<ProbeTracker>& probes);

/// The newest attempt of every probe that asks the backend itself succeeded.
bool others_succeed(const std::vector<ProbeTracker>& probes);

}  // namespace codex
