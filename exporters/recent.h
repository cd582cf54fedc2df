#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "agent/os/clock.h"

/// The last hour of every backend, for the status page and /api/v1/history: plain values, made when somebody
/// asks. The past is told in seconds before now, so that no clock of a reader has to agree with ours.

namespace codex {

inline constexpr Duration kRecentSpan = std::chrono::hours(1);
inline constexpr Duration kRecentStep = std::chrono::seconds(10);
inline constexpr std::size_t kRecentSlots = kRecentSpan / kRecentStep;

/// The largest value of each kRecentStep, oldest first, kRecentSlots of them; the last slot is still filling.
/// NaN where nothing is known.
using RecentValues = std::vector<float>;

/// A time in one state.
struct RecentState {
  std::string state;   ///< one of kStates
  std::string reason;  ///< of the transition into it
  double begin_seconds_ago = 0, end_seconds_ago = 0;
};

struct RecentProbe {
  std::string name;
  RecentValues seconds;   ///< of successful attempts
  RecentValues failures;  ///< 1 where an attempt failed
};

struct RecentEvent {
  WallTime at{};
  std::string from, to, reason, detail;  ///< safe to show
};

struct BackendRecent {
  std::vector<RecentState> states;  ///< oldest first; nothing where no agent knew the backend
  std::vector<RecentProbe> probes;  ///< in the order of BackendSnapshot::probes
  RecentValues used_memory_bytes, cpu_ratio;
  std::vector<RecentEvent> events;  ///< newest first
};

/// The backends in the order of Snapshot::backends. Loop thread.
using RecentSource = std::function<std::vector<BackendRecent>()>;

}  // namespace codex
