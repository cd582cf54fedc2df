#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/os/clock.h"

namespace codex {

/// `unknown`: we could not ask (out of descriptors, a bug of ours). It never counts to a threshold.
enum class Outcome { kSuccess, kFailure, kUnknown };

/// Why an attempt failed: the closed set of label `reason` of codex_agent_probe_failures_total.
enum class Reason {
  kNone,
  kTimeout,
  kRefused,
  kReset,
  kResolve,
  kTls,
  kStatus,
  kBody,
  kProtocol,
  kAuth,
  kQuery,
  kInternal,
};
inline constexpr Reason kFailureReasons[] = {
    Reason::kTimeout, Reason::kRefused,  Reason::kReset, Reason::kResolve, Reason::kTls,     Reason::kStatus,
    Reason::kBody,    Reason::kProtocol, Reason::kAuth,  Reason::kQuery,   Reason::kInternal};

/// Parts of one attempt, consecutive. A phase that was not reached is absent, not zero.
enum class Phase { kResolve, kConnect, kTls, kProcessing, kTransfer, kAuth, kQuery };

std::string_view to_string(Outcome outcome);  ///< "success" "failure" "unknown"
std::string_view to_string(Reason reason);    ///< "none" "timeout" ...
std::string_view to_string(Phase phase);      ///< "resolve" "connect" ...

struct PhaseTime {
  Phase phase;
  Duration elapsed;
};

/// What one attempt found.
struct ProbeResult {
  Outcome outcome = Outcome::kUnknown;
  Reason reason = Reason::kNone;
  Duration elapsed{0};  ///< never above the deadline by more than a loop turn, whatever the peer does
  std::vector<PhaseTime> phases;
  std::string detail;  ///< one line for a person, already safe to show: "GET /health 503", "pid 4711
                       ///< (python3) listens"
  std::optional<int> http_status;           ///< http: status of the answer, 0 when there was none
  std::optional<std::uint64_t> body_bytes;  ///< http: body bytes read
  bool flows = false;                       ///< http: a good answer, still on its way at the deadline
};

}  // namespace codex
