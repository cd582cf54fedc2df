#pragma once

#include <cstddef>
#include <string_view>

namespace codex {

struct Utf8Character {
  char32_t code = 0;
  std::size_t bytes = 0;  ///< 0: the text does not begin with a character
};

/// The first character of a text that is not empty (RFC 3629: no overlong forms, no surrogates). Pure.
Utf8Character first_utf8_character(std::string_view text);

}  // namespace codex
