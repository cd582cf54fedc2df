#pragma once

#include <string>
#include <string_view>

namespace codex {

/// A line as a terminal would have left it: without escape sequences (colours, titles, cursor moves), of what
/// a carriage return overwrote only the last, a tab as four spaces. Other control bytes stay: see
/// escape_for_display(). Pure.
std::string plain_text(std::string_view line);

}  // namespace codex
