#pragma once

#include <optional>
#include <string_view>

#include "agent/os/clock.h"

namespace codex {

/// A time limit from the command line: seconds ("90", "1.5") or with a unit ("500ms" "5s" "2m" "1h").
/// nullopt unless it is above 0 and at most 24 hours.
std::optional<Duration> parse_time_limit(std::string_view text);

/// A number of lines: decimal digits without leading zeros, at most 1,000,000.
std::optional<std::size_t> parse_line_count(std::string_view text);

}  // namespace codex
