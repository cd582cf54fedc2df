#include "agent/cli/terminal_filter.h"

#include <array>
#include <cstdio>
#include <utility>

namespace codex {
namespace {

constexpr std::size_t kLongestSequence = 32;
constexpr char kEscape = '\x1b';
constexpr char kC1Lead = '\xc2';  // U+0080 to U+009F, which terminals obey, are C2 80 to C2 9F

enum class Kind { kUnfinished, kAllowed, kForbidden };

void append_escaped(std::string& out, char byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  out += text.data();
}

bool is_control(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return (value < 0x20 && byte != '\n' && byte != '\t') || value == 0x7f;
}

Kind classify_escape(std::string_view text) {
  if (text.size() == 1) return Kind::kUnfinished;
  if (text[1] != '[') return Kind::kForbidden;
  for (std::size_t i = 2; i < text.size() && i < kLongestSequence; ++i) {
    if (text[i] == 'm') return Kind::kAllowed;
    if ((text[i] < '0' || text[i] > '9') && text[i] != ';') return Kind::kForbidden;
  }
  return text.size() < kLongestSequence ? Kind::kUnfinished : Kind::kForbidden;
}

}  // namespace

std::string TerminalFilter::feed(std::string_view piece) {
  const std::string text = std::exchange(pending_, {}) + std::string(piece);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = std::string_view(text).substr(i);
    if (rest[0] == kEscape) {
      const Kind kind = classify_escape(rest);
      if (kind == Kind::kUnfinished) {
        pending_ = rest;
        return out;
      }
      if (kind == Kind::kForbidden) append_escaped(out, kEscape);
      if (kind == Kind::kAllowed) out += kEscape;
    } else if (rest[0] == kC1Lead && rest.size() == 1) {
      pending_ = rest;
      return out;
    } else if (rest[0] == kC1Lead && static_cast<unsigned char>(rest[1]) < 0xa0) {
      append_escaped(out, rest[0]);
      append_escaped(out, rest[1]);
      ++i;
    } else if (is_control(rest[0])) {
      append_escaped(out, rest[0]);
    } else {
      out += rest[0];
    }
  }
  return out;
}

std::string TerminalFilter::finish() {
  std::string out;
  for (const char byte : std::exchange(pending_, {})) {
    if (byte == kEscape || byte == kC1Lead)
      append_escaped(out, byte);
    else
      out += byte;
  }
  return out;
}

}  // namespace codex
