#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Words of ASCII, whatever the locale. Pure functions.

namespace codex {

[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// A to Z become a to z; everything else stays.
std::string to_lower(std::string_view text);

/// `text` without what of `blanks` it begins and ends with.
std::string_view trim(std::string_view text, std::string_view blanks);

/// The pieces between separators, empty ones too: one more than there are separators.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace codex
