#include "agent/cli/argument_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

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

// Damerau-Levenshtein without repeated edits: a swap of two neighbours, the usual slip, is one edit.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  std::iota(cost[0].begin(), cost[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      cost[i][j] = std::min(
          {cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
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

std::string nearest_verb(std::string_view text, const std::vector<std::string>& verbs) {
  if (text.size() > 40) return "";
  std::string best;
  std::size_t best_distance = 3;
  for (const auto& verb : verbs) {
    const std::size_t distance = edit_distance(text, verb);
    if (distance < best_distance && 2 * distance < std::max(verb.size(), text.size())) {
      best = verb;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace codex
