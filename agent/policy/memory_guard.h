#pragma once

#include <cstdint>
#include <optional>

#include "agent/os/clock.h"

namespace codex {

/// Says when a tree has outgrown its memory limit. Pure. A peak of a moment (garbage that is about to be
/// collected, a fork that shares all its pages) is none of its business: the limit must be exceeded in every
/// look for kPatience. After that it is silent until the tree has once been below 90 % of the limit, or a new
/// generation begins.
class MemoryGuard {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(5);

  explicit MemoryGuard(std::optional<std::uint64_t> limit_bytes) : limit_(limit_bytes) {}

  void begin_generation() { *this = MemoryGuard(limit_); }

  /// True once for each time that patience has run out.
  bool exceeded(std::uint64_t used_bytes, TimePoint now) {
    if (!limit_) return false;
    if (used_bytes <= *limit_) above_since_.reset();
    if (used_bytes < *limit_ / 10 * 9) reported_ = false;
    if (used_bytes <= *limit_ || reported_) return false;
    if (!above_since_) above_since_ = now;
    reported_ = now - *above_since_ >= kPatience;
    return reported_;
  }

 private:
  std::optional<std::uint64_t> limit_;
  std::optional<TimePoint> above_since_;
  bool reported_ = false;
};

}  // namespace codex
