#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "agent/os/schedule.h"
#include "agent/policy/memory_guard.h"
#include "agent/record/standing_troubles.h"
#include "agent/supervision/backend_tree.h"
#include "agent/supervision/report.h"
#include "agent/text/redactor.h"

namespace codex {

/// Looks once a second at what a backend's processes use, as long as any live, and says when that is too much.
/// Loop thread.
class ResourceWatch {
 public:
  struct Hands {
    std::function<void(bool used)> looked;          ///< `used`: something lives, and what it uses is known
    std::function<void(const Report&)> over_limit;  ///< for a running backend
  };
  /// Everything outlives it.
  ResourceWatch(std::optional<std::uint64_t> limit_bytes, const Lifecycle& lifecycle, Schedule& schedule,
                BackendTree& tree, StandingTroubles& troubles, const Redactor& redactor, Hands hands);

  /// Looks now, and once a second from then on.
  void look();
  /// The same, but in the next turn of the loop.
  void look_soon() { look_again_->arm_at(schedule_.now()); }

  void begin_generation() { memory_.begin_generation(); }

 private:
  void watch_memory();

  std::optional<std::uint64_t> limit_bytes_;
  const Lifecycle& lifecycle_;
  Schedule& schedule_;
  BackendTree& tree_;
  StandingTroubles& troubles_;
  const Redactor& redactor_;
  Hands hands_;
  MemoryGuard memory_;
  std::unique_ptr<Alarm> look_again_;
};

}  // namespace codex
