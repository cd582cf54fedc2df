#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace codex {

/// Text of unknown origin as a person may see it on a terminal or a page: control bytes (C0, DEL, C1), line
/// separators and bidirectional controls as \xNN, invalid UTF-8 as U+FFFD, cut at `max_bytes` on a character
/// border. A backslash stays as it is: the result is for reading, not for decoding. Any thread.
std::string escape_for_display(std::string_view text, std::size_t max_bytes);

}  // namespace codex
