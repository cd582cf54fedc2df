#pragma once

#include <string>
#include <string_view>

namespace codex {

/// Offset of the first dotted key with more than 16 parts, npos if there is none. toml++ 3.3 bounds the
/// nesting of values but not of keys; half a megabyte of "a.a.a" would end its recursive destructor with the
/// stack.
std::size_t find_deep_key(std::string_view text);

/// A toml++ error text for a person, without the words of the file that it quotes: they may be a password.
std::string explain_syntax_error(std::string_view description);

}  // namespace codex
