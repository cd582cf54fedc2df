#include "agent/record/log_line.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "agent/text/display_text.h"

namespace codex {

namespace {

constexpr std::size_t kMaxValue = 1024;

bool is_plain(char c) {
  return c > ' ' && c < '\x7F' && c != '"' && c != '\\' && c != '=';
}

}  // namespace

LogLine& LogLine::kv(std::string_view key, std::string_view value) {
  text_.append(" ").append(key).append("=");
  if (value.size() <= kMaxValue && !value.empty() && std::all_of(value.begin(), value.end(), is_plain)) {
    text_.append(value);
    return *this;
  }
  std::string quotable;
  for (const char c : value.substr(0, kMaxValue)) {
    if (c == '"' || c == '\\') quotable += '\\';
    quotable += c;
  }
  const bool cut = value.size() > kMaxValue;
  text_.append("\"").append(escape_for_display(quotable, 4 * kMaxValue)).append(cut ? "...\"" : "\"");
  return *this;
}

LogLine& LogLine::kv(std::string_view key, double value) {
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.6g", value);
  return kv(key, std::string_view(text.data(), static_cast<std::size_t>(size)));
}

}  // namespace codex
