#include "agent/cli/text_format.h"

#include <time.h>

#include <array>
#include <cmath>
#include <utility>

#include "agent/text/quantity.h"

namespace codex {
namespace {

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

std::string format_uptime(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e11) return "?";
  const auto total = static_cast<std::int64_t>(seconds);
  if (total < 60) return std::to_string(total) + "s";
  constexpr std::pair<std::int64_t, char> kUnits[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
  std::size_t large = 0;
  while (total < kUnits[large].first) ++large;
  const auto rest = total % kUnits[large].first / kUnits[large + 1].first;
  return std::to_string(total / kUnits[large].first) + kUnits[large].second + " " + std::to_string(rest) +
         kUnits[large + 1].second;
}

std::string format_bytes(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 0) return "?";
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return decimal_text(value, value < 9.95 ? 1 : 0) + " " + kUnits[unit];
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

}  // namespace codex
