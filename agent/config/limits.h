#pragma once

#include <chrono>
#include <cstdint>

#include "agent/os/clock.h"

namespace codex {

// What a configured value may be, where several keys share it.
inline constexpr std::uint64_t kSmallestLog = 1024;  ///< bytes
inline constexpr std::uint64_t kLargestLog = std::uint64_t{100} << 30;
inline constexpr int kMostKeptLogs = 100;
inline constexpr int kHighestThreshold = 100;  ///< attempts of a probe
inline constexpr Duration kShortestTimeout = std::chrono::milliseconds(1);
inline constexpr Duration kLongest = std::chrono::hours(24);

}  // namespace codex
