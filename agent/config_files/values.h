#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/config_files/diagnostics.h"
#include "agent/os/clock.h"

/// The grammar of configured values. Numbers are decimal digits without sign, blanks, exponent or leading
/// zeros ("010" is a mistake, not 8). Every parser takes the whole text or nothing. Pure functions.

namespace codex {

/// "0", "42": decimal digits, at most 18 of them.
Parsed<std::int64_t> parse_whole(std::string_view text);

/// "500ms" "5s" "2m" "1h".
Parsed<Duration> parse_duration(std::string_view text);

/// The inverse, in the largest unit that is exact. Whole milliseconds only.
std::string format_duration(Duration duration);

/// "512B" "64KiB" "10MiB" "1GiB".
Parsed<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

struct StartLimit {
  int count = 0;
  Duration interval{};
};

/// "5 in 60s": 1 to 1000 starts in 1s to 24h.
Parsed<StartLimit> parse_start_limit(std::string_view text);

/// "SIGTERM" or "TERM". SIGUSR1 and SIGUSR2 are refused: node opens its inspector on the first and nodemon
/// restarts on the second.
Parsed<int> parse_stop_signal(std::string_view text);

/// "200-299,404": inclusive ranges of HTTP status codes, 100 to 599.
Parsed<std::vector<std::pair<int, int>>> parse_status_list(std::string_view text);
std::string format_status_list(const std::vector<std::pair<int, int>>& ranges);

/// A name as it may stand in a label: lower-case letters, digits, '_' and '-', at most 64 bytes.
bool is_label_name(std::string_view name, bool may_start_with_digit);

}  // namespace codex
