#include "agent/config_files/toml_syntax.h"

#include <algorithm>
#include <array>

#include "agent/text/redactor.h"

namespace codex {

namespace {

// The end of the string that starts with `mark` at `at`. A one-line string ends with its line: what follows a
// forgotten quote must not be hidden.
std::size_t end_of_string(std::string_view text, std::size_t at, std::string_view mark) {
  const bool escapes = mark.front() == '"', one_line = mark.size() == 1;
  for (std::size_t i = at + mark.size(); i < text.size(); ++i) {
    if (escapes && text[i] == '\\') {
      ++i;
    } else if (one_line && text[i] == '\n') {
      return i;
    } else if (text.substr(i).starts_with(mark)) {
      i += mark.size();
      // """a"""" and """a""""" end in quotes of their own.
      for (int extra = 0; !one_line && extra < 2 && i < text.size() && text[i] == mark.front(); ++extra) ++i;
      return i;
    }
  }
  return text.size();
}

// The end of the string or comment that starts at `at`, or `at` if none does.
std::size_t skip_opaque(std::string_view text, std::size_t at) {
  if (text[at] == '#') return std::min(text.find('\n', at), text.size());
  for (const std::string_view mark : {"\"\"\"", "'''", "\"", "'"}) {
    if (text.substr(at).starts_with(mark)) return end_of_string(text, at, mark);
  }
  return at;
}

}  // namespace

std::size_t find_deep_key(std::string_view text) {
  constexpr int kMostParts = 16;
  int parts = 1;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = skip_opaque(text, at);
    if (next > at) {
      at = next;
      continue;
    }
    const char c = text[at];
    if (c == '.' && ++parts > kMostParts) return at;
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) parts = 1;
    ++at;
  }
  return std::string_view::npos;
}

std::string explain_syntax_error(std::string_view description) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kHints = {{
      {"could not determine value type", " (a text needs quotes: \"...\")"},
      {"leading zeroes are prohibited", " (write the number without them)"},
      {"encountered end-of-file", " (is a quote or bracket not closed?)"},
  }};
  std::string text = "not TOML: ";
  const bool names_a_key = description.find("redefine") != std::string_view::npos;
  constexpr std::size_t kHarmless = 5;  // 'true', ']', '\u0001'
  while (!description.empty()) {
    const std::size_t open = description.find('\'');
    const std::size_t close = open == std::string_view::npos ? open : description.find('\'', open + 1);
    if (close == std::string_view::npos || names_a_key) {
      text += description;
      break;
    }
    text += description.substr(0, open);
    const bool harmless = close - open - 1 <= kHarmless;
    text += harmless ? description.substr(open, close - open + 1) : std::string_view("this");
    description.remove_prefix(close + 1);
  }
  for (const auto& [part, hint] : kHints) {
    if (text.find(part) != std::string::npos) text += hint;
  }
  return escape_for_display(text, 256);
}

}  // namespace codex
