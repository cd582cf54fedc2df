#include "agent/cli/argument_values.h"

#include <charconv>
#include <cmath>

namespace codex {
namespace {

std::optional<double> seconds_per_unit(std::string_view unit) {
  if (unit.empty() || unit == "s") return 1.0;
  if (unit == "ms") return 0.001;
  if (unit == "m") return 60.0;
  if (unit == "h") return 3600.0;
  return std::nullopt;
}

bool leading_zero(std::string_view text) {
  return text.size() > 1 && text[0] == '0' && text[1] != '.' && text[1] != 'm' && text[1] != 's';
}

}  // namespace

std::optional<Duration> parse_time_limit(std::string_view text) {
  if (text.empty() || text.size() > 20 || leading_zero(text)) return std::nullopt;
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  const auto unit = seconds_per_unit({rest, static_cast<std::size_t>(end - rest)});
  if (!unit) return std::nullopt;
  const double seconds = number * *unit;
  if (seconds < 0.001 || seconds > 24 * 3600.0) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::optional<std::size_t> parse_line_count(std::string_view text) {
  constexpr std::size_t kMost = 1'000'000;
  std::size_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (text.empty() || error != std::errc() || rest != end || leading_zero(text) || count > kMost)
    return std::nullopt;
  return count;
}

}  // namespace codex
