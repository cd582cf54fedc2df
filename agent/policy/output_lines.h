#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace codex {

/// Of a program's output, the newest last, as a terminal would show them.
using Lines = std::vector<std::string>;

inline constexpr std::string_view kBlanks = " ";

inline bool contains(std::string_view line, std::string_view part) {
  return line.find(part) != std::string_view::npos;
}

template <typename Parts = std::initializer_list<std::string_view>>
bool contains_any(std::string_view line, const Parts& parts) {
  return std::any_of(std::begin(parts), std::end(parts),
                     [line](std::string_view part) { return contains(line, part); });
}

}  // namespace codex
