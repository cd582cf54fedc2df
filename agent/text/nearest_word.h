#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace codex {

/// The word of `known` that `word` was probably meant to be (edits and swaps of neighbours: at most one, or a
/// third of its length); "" if none is near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

}  // namespace codex
