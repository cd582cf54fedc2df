#pragma once

#include <cstdint>
#include <optional>

#include "probes/hang/hang_observation.h"

namespace codex {

/// Where a process's main thread rests when there is nothing to do, if that is an event loop: epoll, poll,
/// select or accept with the same first argument. Learned from looks, never assumed; pure.
///
/// A thread that rests in a lock, in a sleep or for a child serves nothing itself (Java, the threads of Puma,
/// Django's reloader), nor does one that slept while its process answered (Go): nothing can be told from it.
class RestingPlace {
 public:
  /// Call with every look at the process.
  void observe(const HangObservation& seen);
  void forget() { *this = RestingPlace{}; }

  [[nodiscard]] bool learned() const { return place_.has_value(); }
  /// It has been seen asleep in some wait of the kind, while nobody waited: what it had to do first is done.
  [[nodiscard]] bool has_rested() const { return has_rested_; }
  /// Asleep in the newest look, in some wait of the kind.
  [[nodiscard]] bool in_some_loop() const { return before_.has_value(); }
  /// Asleep there in the newest look.
  [[nodiscard]] bool at_rest() const { return at_rest_; }

 private:
  struct Place {
    int syscall;
    std::uint64_t argument;
    bool operator==(const Place&) const = default;
  };
  static std::optional<Place> asleep_in_loop(const ThreadView& main);

  std::optional<Place> place_;
  std::optional<Place> before_, served_from_;
  int stayed_ = 0;  ///< looks in a row at the same place
  std::uint64_t cpu_before_ = 0;
  bool returned_ = false;  ///< it ran meanwhile, and came back
  bool served_ = false;    ///< it has accepted or answered since it was last seen asleep
  bool has_served_ = false, has_rested_ = false;
  bool others_serve_ = false;  ///< an answer came while it slept
  bool asked_before_ = false;  ///< a probe was under way in the look before
  bool has_children_ = true;
  std::optional<Duration> success_before_;
  bool at_rest_ = false;
};

}  // namespace codex
