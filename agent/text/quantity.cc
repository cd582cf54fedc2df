#include "agent/text/quantity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace codex {

std::string decimal_text(double value, int decimals) {
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return {text.data(), std::min(static_cast<std::size_t>(size), text.size() - 1)};
}

std::string in_words(Duration duration) {
  const double seconds = to_seconds(duration);
  if (seconds < 1) return decimal_text(std::round(seconds * 1000), 0) + " ms";
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.4g s", seconds);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string latency_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  return seconds < 1 ? decimal_text(seconds * 1000, 1) + " ms" : decimal_text(seconds, 2) + " s";
}

std::string count_text(std::int64_t count, std::string_view noun) {
  return (std::to_string(count) + " ").append(noun).append(count == 1 ? "" : "s");
}

}  // namespace codex
