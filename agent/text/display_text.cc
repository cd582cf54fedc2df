#include "agent/text/display_text.h"

#include "agent/text/utf8.h"

namespace codex {

namespace {

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
    const Utf8Character c = first_utf8_character(text);
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
