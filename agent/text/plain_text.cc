#include "agent/text/plain_text.h"

#include <algorithm>
#include <cstddef>

namespace codex {

namespace {

constexpr char kEscape = '\x1b', kBell = '\x07';

bool between(char c, char first, char last) {
  return c >= first && c <= last;
}

/// How long the escape sequence at the beginning of `text` is (ECMA-48 5.4, 5.6); one that does not end
/// reaches to the end.
std::size_t sequence_size(std::string_view text) {
  if (text.size() < 2) return text.size();
  if (text[1] == '[') {
    std::size_t i = 2;
    while (i < text.size() && between(text[i], 0x20, 0x3f)) ++i;
    return std::min(i + 1, text.size());
  }
  if (text[1] == ']') {
    for (std::size_t i = 2; i < text.size(); ++i) {
      if (text[i] == kBell) return i + 1;
      if (text[i] == kEscape) return std::min(i + 2, text.size());
    }
    return text.size();
  }
  std::size_t i = 1;
  while (i < text.size() && between(text[i], 0x20, 0x2f)) ++i;
  return std::min(i + 1, text.size());
}

}  // namespace

std::string plain_text(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  std::string plain;
  while (!line.empty()) {
    const char c = line.front();
    const std::size_t size = c == kEscape ? sequence_size(line) : 1;
    if (c == '\r') plain.clear();
    if (c == '\t') plain.append(4, ' ');
    if (c != kEscape && c != '\r' && c != '\t') plain += c;
    line.remove_prefix(size);
  }
  return plain;
}

}  // namespace codex
