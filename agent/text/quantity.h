#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/os/clock.h"

/// Numbers as people read them. Pure functions.

namespace codex {

/// "3.42": with just so many digits behind the point.
std::string decimal_text(double value, int decimals);

/// What was set, as it was set: "300 ms", "5 s", "1.5 s".
std::string in_words(Duration duration);

/// What was measured: "3.4 ms", "1.25 s"; "?" for what no clock can measure.
std::string latency_text(double seconds);

/// "3 failures", "1 failure".
std::string count_text(std::int64_t count, std::string_view noun);

}  // namespace codex
