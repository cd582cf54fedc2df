#include "agent/config_files/values.h"

#include <algorithm>
#include <array>
#include <csignal>

#include "agent/text/words.h"

namespace codex {

namespace {

struct DurationUnit {
  std::string_view suffix;
  std::chrono::milliseconds length;
};
// Largest first: format_duration() takes the first exact one. "ms" must not be read as minutes, so the
// suffix is compared whole.
constexpr std::array kDurationUnits = {
    DurationUnit{"h", std::chrono::hours(1)},
    DurationUnit{"m", std::chrono::minutes(1)},
    DurationUnit{"s", std::chrono::seconds(1)},
    DurationUnit{"ms", std::chrono::milliseconds(1)},
};

struct SizeUnit {
  std::string_view suffix;
  std::uint64_t bytes;
};
constexpr std::array kSizeUnits = {
    SizeUnit{"GiB", std::uint64_t{1} << 30},
    SizeUnit{"MiB", std::uint64_t{1} << 20},
    SizeUnit{"KiB", std::uint64_t{1} << 10},
    SizeUnit{"B", 1},
};

constexpr std::array<std::pair<std::string_view, int>, 5> kStopSignals = {{{"SIGTERM", SIGTERM},
                                                                           {"SIGINT", SIGINT},
                                                                           {"SIGQUIT", SIGQUIT},
                                                                           {"SIGHUP", SIGHUP},
                                                                           {"SIGKILL", SIGKILL}}};

constexpr std::string_view kDurationGrammar =
    "is not a duration; write a whole number and ms, s, m or h, such as \"500ms\", \"5s\" or \"2m\"";
constexpr std::string_view kSizeGrammar =
    "is not a size; write a whole number and B, KiB, MiB or GiB, such as \"10MiB\"";
constexpr std::string_view kStartLimitGrammar =
    "is not a start limit; write how many starts (1-1000) in which time (1s-24h), such as \"5 in 60s\"";
constexpr std::string_view kStatusGrammar =
    "is not a list of status codes; write codes (100-599) and ranges, such as \"200-299,404\"";

// "10MiB" -> {"10", "MiB"}
std::pair<std::string_view, std::string_view> split_unit(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto digits = static_cast<std::size_t>(end - text.begin());
  return {text.substr(0, digits), text.substr(digits)};
}

std::optional<int> parse_status(std::string_view text) {
  const auto code = parse_whole(text).value;
  if (!code || *code < 100 || *code > 599) return std::nullopt;
  return static_cast<int>(*code);
}

}  // namespace

Parsed<std::int64_t> parse_whole(std::string_view text) {
  constexpr std::size_t kMostDigits = 18;
  const bool all_digits = !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
  if (!all_digits) return Parsed<std::int64_t>::bad("is not a whole number");
  if (text.size() > 1 && text.front() == '0') {
    return Parsed<std::int64_t>::bad("has a leading zero; write it without");
  }
  if (text.size() > kMostDigits) return Parsed<std::int64_t>::bad("is too large");
  std::int64_t number = 0;
  for (const char digit : text) number = number * 10 + (digit - '0');
  return Parsed<std::int64_t>::good(number);
}

Parsed<Duration> parse_duration(std::string_view text) {
  // Far above every allowed range and far below what overflows nanoseconds in 64 bits.
  constexpr std::int64_t kMostUnits = 1'000'000;
  constexpr std::int64_t kMostMilliseconds = kMostUnits * 1000;
  const auto [digits, suffix] = split_unit(text);
  const auto number = parse_whole(digits).value;
  for (const DurationUnit& unit : kDurationUnits) {
    if (suffix != unit.suffix || !number) continue;
    const std::int64_t most = unit.suffix == "ms" ? kMostMilliseconds : kMostUnits;
    if (*number > most) return Parsed<Duration>::bad("is too long a duration");
    return Parsed<Duration>::good(unit.length * *number);
  }
  return Parsed<Duration>::bad(std::string(kDurationGrammar));
}

std::string format_duration(Duration duration) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration);
  if (milliseconds.count() == 0) return "0s";
  for (const DurationUnit& unit : kDurationUnits) {
    if (milliseconds % unit.length != std::chrono::milliseconds(0)) continue;
    return std::to_string(milliseconds / unit.length) + std::string(unit.suffix);
  }
  return std::to_string(milliseconds.count()) + "ms";
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::int64_t kMostUnits = std::int64_t{1} << 32;
  const auto [digits, suffix] = split_unit(text);
  const auto number = parse_whole(digits).value;
  for (const SizeUnit& unit : kSizeUnits) {
    if (suffix != unit.suffix || !number) continue;
    if (*number > kMostUnits) return Parsed<std::uint64_t>::bad("is too large a size");
    return Parsed<std::uint64_t>::good(static_cast<std::uint64_t>(*number) * unit.bytes);
  }
  return Parsed<std::uint64_t>::bad(std::string(kSizeGrammar));
}

std::string format_size(std::uint64_t bytes) {
  for (const SizeUnit& unit : kSizeUnits) {
    if (bytes % unit.bytes == 0 && bytes != 0) {
      return std::to_string(bytes / unit.bytes) + std::string(unit.suffix);
    }
  }
  return "0B";
}

Parsed<StartLimit> parse_start_limit(std::string_view text) {
  constexpr std::string_view kSeparator = " in ";
  const std::size_t separator = text.find(kSeparator);
  if (separator == std::string_view::npos) return Parsed<StartLimit>::bad(std::string(kStartLimitGrammar));
  const auto count = parse_whole(text.substr(0, separator)).value;
  const auto interval = parse_duration(text.substr(separator + kSeparator.size())).value;
  const bool in_range = count && interval && *count >= 1 && *count <= 1000 &&
                        *interval >= std::chrono::seconds(1) && *interval <= std::chrono::hours(24);
  if (!in_range) return Parsed<StartLimit>::bad(std::string(kStartLimitGrammar));
  return Parsed<StartLimit>::good({static_cast<int>(*count), *interval});
}

Parsed<int> parse_stop_signal(std::string_view text) {
  for (const auto& [name, number] : kStopSignals) {
    if (text == name || text == name.substr(3)) return Parsed<int>::good(number);
  }
  if (text.ends_with("USR1") || text.ends_with("USR2")) {
    return Parsed<int>::bad(
        "does not stop a Node backend (node and nodemon use it otherwise); use SIGTERM or SIGINT");
  }
  return Parsed<int>::bad("is not a signal that stops; use SIGTERM, SIGINT, SIGQUIT, SIGHUP or SIGKILL");
}

Parsed<std::vector<std::pair<int, int>>> parse_status_list(std::string_view text) {
  using Result = Parsed<std::vector<std::pair<int, int>>>;
  constexpr std::size_t kMostRanges = 64;
  std::vector<std::pair<int, int>> ranges;
  for (const std::string_view piece : split(text, ',')) {
    const std::string_view item = trim(piece, " ");
    const std::size_t dash = item.find('-');
    const auto first = parse_status(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_status(item.substr(dash + 1));
    if (!first || !last || *first > *last || ranges.size() == kMostRanges) {
      return Result::bad(std::string(kStatusGrammar));
    }
    ranges.emplace_back(*first, *last);
  }
  return Result::good(std::move(ranges));
}

std::string format_status_list(const std::vector<std::pair<int, int>>& ranges) {
  std::string text;
  for (const auto& [first, last] : ranges) {
    if (!text.empty()) text += ',';
    text += std::to_string(first);
    if (last != first) text += '-' + std::to_string(last);
  }
  return text;
}

bool is_label_name(std::string_view name, bool may_start_with_digit) {
  constexpr std::size_t kLongestName = 64;
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_inner = [&](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  if (name.empty() || name.size() > kLongestName) return false;
  const bool start_ok = is_lower(name.front()) || (may_start_with_digit && is_digit(name.front()));
  return start_ok && std::all_of(name.begin(), name.end(), is_inner);
}

}  // namespace codex
