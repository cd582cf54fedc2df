#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/os/clock.h"

namespace codex {

/// "2026-11-23T12:03:04.123Z": RFC 3339, UTC, milliseconds (cut, not rounded). Any thread.
std::string format_rfc3339(WallTime time);

/// The inverse, for exactly that form; nullopt for anything else.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace codex
