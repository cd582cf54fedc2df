#include "agent/text/display_text.h"

#include <cstdint>

namespace codex {

namespace {

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;  ///< 0: `text` does not begin with a UTF-8 sequence
};

/// The first character of a text that is not empty (RFC 3629: no overlong forms, no surrogates).
Character decode_first(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  std::size_t bytes = 0;
  char32_t code = 0, smallest = 0;
  if ((lead & 0xE0) == 0xC0) {
    bytes = 2, code = lead & 0x1F, smallest = 0x80;
  } else if ((lead & 0xF0) == 0xE0) {
    bytes = 3, code = lead & 0x0F, smallest = 0x800;
  } else if ((lead & 0xF8) == 0xF0) {
    bytes = 4, code = lead & 0x07, smallest = 0x10000;
  }
  if (bytes == 0 || text.size() < bytes) return {};
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  if (code < smallest || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, bytes};
}

/// Moves the cursor, ends the line, or turns the direction of what follows.
bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string escape_for_display(std::string_view text, std::size_t max_bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string shown, unit;
  while (!text.empty()) {
    const Character c = decode_first(text);
    const std::string_view raw = text.substr(0, c.bytes == 0 ? 1 : c.bytes);
    if (c.bytes == 0) {
      unit = "\xEF\xBF\xBD";
    } else if (is_control(c.code)) {
      unit.clear();
      for (const char ch : raw) {
        const auto value = static_cast<unsigned char>(ch);
        unit.append("\\x").push_back(kDigits[value >> 4]);
        unit.push_back(kDigits[value & 15]);
      }
    } else {
      unit = raw;
    }
    if (unit.size() > max_bytes - shown.size()) break;
    shown += unit;
    text.remove_prefix(raw.size());
  }
  return shown;
}

}  // namespace codex
