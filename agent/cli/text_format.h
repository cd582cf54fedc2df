#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace codex {

/// The two largest units: "45s" "2m 5s" "2h 13m" "3d 4h".
std::string format_uptime(double seconds);

/// "112 MiB"; binary units, three digits.
std::string format_bytes(std::int64_t bytes);

/// RFC 3339 in UTC as local time, "2026-11-23 12:03:04"; the text itself if it is not RFC 3339.
std::string format_local_time(const std::string& rfc3339);

/// Columns that UTF-8 text takes; emoji count as two, as terminals draw them.
std::size_t display_width(std::string_view text);

/// `text` cut at a character border so that it takes at most `columns`.
std::string fit_columns(std::string_view text, std::size_t columns);

}  // namespace codex
