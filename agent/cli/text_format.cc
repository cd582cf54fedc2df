#include "agent/cli/text_format.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace codex {
namespace {

template <typename... Args>
std::string print(const char* format, Args... args) {
  std::array<char, 128> buffer{};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const int size = std::snprintf(buffer.data(), buffer.size(), format, args...);
#pragma GCC diagnostic pop
  return std::string(buffer.data(), static_cast<std::size_t>(std::clamp(size, 0, 127)));
}

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// Four-byte sequences and the check and cross marks of the status lines.
std::size_t character_width(std::string_view character) {
  return character.size() == 4 || character == "✅" || character == "❌" ? 2 : 1;
}

std::string_view first_character(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && continues_character(text[size])) ++size;
  return text.substr(0, size);
}

}  // namespace

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  return seconds < 1 ? print("%.1f ms", seconds * 1000) : print("%.2f s", seconds);
}

std::string format_uptime(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e11) return "?";
  const auto total = static_cast<std::int64_t>(seconds);
  if (total < 60) return print("%llds", static_cast<long long>(total));
  constexpr std::pair<std::int64_t, char> kUnits[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
  std::size_t large = 0;
  while (total < kUnits[large].first) ++large;
  const auto rest = total % kUnits[large].first / kUnits[large + 1].first;
  return print("%lld%c %lld%c", static_cast<long long>(total / kUnits[large].first), kUnits[large].second,
               static_cast<long long>(rest), kUnits[large + 1].second);
}

std::string format_bytes(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 0) return "?";
  if (bytes < 1024) return print("%lld B", static_cast<long long>(bytes));
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return value < 9.95 ? print("%.1f %s", value, kUnits[unit]) : print("%.0f %s", value, kUnits[unit]);
}

std::string format_local_time(const std::string& rfc3339) {
  tm utc{};
  if (rfc3339.empty() || rfc3339.back() != 'Z' ||
      strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%S", &utc) == nullptr)
    return rfc3339;
  const time_t when = timegm(&utc);
  tm local{};
  if (localtime_r(&when, &local) == nullptr) return rfc3339;
  std::array<char, 32> buffer{};
  return std::string(buffer.data(), strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M:%S", &local));
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto character = first_character(text);
    width += character_width(character);
    text.remove_prefix(character.size());
  }
  return width;
}

std::string fit_columns(std::string_view text, std::size_t columns) {
  std::size_t width = 0, used = 0;
  while (used < text.size()) {
    const auto character = first_character(text.substr(used));
    width += character_width(character);
    if (width > columns) break;
    used += character.size();
  }
  return std::string(text.substr(0, used));
}

std::string count_of(std::int64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace codex
