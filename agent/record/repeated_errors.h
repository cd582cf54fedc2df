#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/os/clock.h"

namespace codex {

/// Which of the errors that come again and again are worth a line in the log: each at once, and then once in
/// kPeriod for as long as it goes on. Pure.
class RepeatedErrors {
 public:
  static constexpr Duration kPeriod = std::chrono::seconds(10);
  static constexpr std::size_t kMostKnown = 64;

  /// How often `error` came since it was last worth a line, this time included; nullopt: it is not worth one.
  std::optional<std::uint64_t> note(const std::string& error, TimePoint now);

 private:
  struct Known {
    TimePoint told{};
    std::uint64_t times = 0;  ///< since then
  };
  std::map<std::string, Known> known_;
};

}  // namespace codex
