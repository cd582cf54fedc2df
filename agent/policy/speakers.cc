#include "agent/policy/speakers.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "agent/text/words.h"

namespace codex {

namespace {

constexpr std::size_t kLongestLabel = 64;
constexpr int kDeepest = 5;
constexpr int kKilled = 128;  // sh(1): and above, by a signal
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kNoNames[] = {"nodemon", "tsx",  "tsc",   "error",    "err",     "fatal",
                                         "warn",    "info", "debug", "critical", "warning", "crit"};

struct Label {
  std::string_view name;  ///< "" of a time
  std::size_t size = 0;   ///< with what separates it from the line
};
using Found = std::optional<Label>;

bool all_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_no_name(std::string_view text) {
  return std::find(std::begin(kNoNames), std::end(kNoNames), to_lower(text)) != std::end(kNoNames);
}

/// "12:03:04", "2026-12-01T12:03:04.123Z", "2026/12/01"; not "127.0.0.1", not "0".
bool is_time(std::string_view text) {
  const auto digits = std::count_if(text.begin(), text.end(), is_digit);
  return digits >= 4 && all_of(text, "0123456789:.,-/TZ+") &&
         text.find_first_of(":-/") != std::string_view::npos && text.back() != ':' && text.back() != '-';
}

/// How many bytes of the beginning are a time: "12:03:04 ", "2026/12/01 12:03:04 ", "02:52:24 AM - ".
std::size_t time_size(std::string_view line) {
  std::size_t size = 0;
  for (bool half_day = false;;) {
    const std::string_view rest = line.substr(size);
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return size;
    const std::string_view word = rest.substr(0, space);
    const bool more = size > 0 && (word == "AM" || word == "PM" || (half_day && word == "-"));
    half_day = more;
    if (!more && (word.empty() || !is_time(word))) return size;
    size += space + 1;
  }
}

Found bracketed(std::string_view line) {
  if (!line.starts_with('[')) return std::nullopt;
  const std::size_t end = line.find(']');
  if (end == std::string_view::npos || end < 2 || end > kLongestLabel) return std::nullopt;
  if (end + 1 < line.size() && line[end + 1] != ' ') return std::nullopt;
  const std::string_view inner = line.substr(1, end - 1);
  if (inner.find(": ") != std::string_view::npos || inner.find('[') != std::string_view::npos)
    return std::nullopt;
  if (is_no_name(inner)) return std::nullopt;
  const bool time = time_size(std::string(inner) + " ") == inner.size() + 1;
  return Label{time ? std::string_view{} : inner, std::min(end + 2, line.size())};
}

Found piped(std::string_view line) {
  std::size_t bar = line.find("| ");
  if (bar == std::string_view::npos && line.ends_with('|')) bar = line.size() - 1;
  if (bar == std::string_view::npos || bar > kLongestLabel) return std::nullopt;
  const std::string_view before = line.substr(0, bar);
  const std::string_view name = trim(before, " ");
  const bool group = name.empty() && bar > 0;  // Python draws exception groups so.
  const bool named = !name.empty() && before.front() != ' ' && before.back() == ' ' &&
                     name.find(' ') == std::string_view::npos;
  if (!group && !named) return std::nullopt;
  return Label{name, std::min(bar + 2, line.size())};
}

/// "api:dev: ", but neither "server.go:12: " nor "App::Error: ".
Found colons(std::string_view line) {
  const std::size_t space = line.find(": ");
  if (space == std::string_view::npos || space > kLongestLabel) return std::nullopt;
  const std::string_view name = line.substr(0, space);
  const auto parts = split(name, ':');
  const bool words = std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    return !part.empty() && !all_of(part, kDigits) && part.find_first_of(" \"'()/") == std::string_view::npos;
  });
  const bool scoped = name.starts_with('@');
  if (is_no_name(parts.front())) return std::nullopt;
  if (parts.size() < 2 || !(words || scoped) || name.find(' ') != std::string_view::npos) return std::nullopt;
  return Label{name, space + 2};
}

/// "packages/api dev: "
Found of_workspace(std::string_view line) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos || colon > kLongestLabel) return std::nullopt;
  const auto words = split(line.substr(0, colon), ' ');
  if (words.size() != 2 || words[0].starts_with('/') || words[0].find('/') == std::string_view::npos ||
      words[0].find_first_of(":.") != std::string_view::npos) {
    return std::nullopt;
  }
  return Label{line.substr(0, colon), colon + 2};
}

Found label_of(std::string_view line) {
  if (const std::size_t size = time_size(line); size > 0) return Label{{}, size};
  if (auto found = bracketed(line)) return found;
  if (auto found = piped(line)) return found;
  if (auto found = colons(line)) return found;
  return of_workspace(line);
}

bool tells_end(std::string_view line) {
  return line.find(" exited with ") != std::string_view::npos;
}

/// "npm run api exited with code 1", "... exited (1)": of its own, not of a signal that was sent to it.
bool tells_failure(std::string_view line) {
  for (const std::string_view mark : {" exited with code ", " exited with ", " exited ("}) {
    const std::size_t at = line.find(mark);
    if (at == std::string_view::npos) continue;
    int code = 0;
    const std::string_view number = line.substr(at + mark.size());
    std::from_chars(number.data(), number.data() + number.size(), code);
    if (code > 0 && code < kKilled) return true;
  }
  return false;
}

/// npm-run-all: ERROR: "api" exited with 1.
std::string_view named_failure(std::string_view line) {
  constexpr std::string_view kBegin = "ERROR: \"";
  if (!line.starts_with(kBegin) || !tells_failure(line)) return {};
  line.remove_prefix(kBegin.size());
  return line.substr(0, std::min(line.find('"'), line.size()));
}

}  // namespace

std::string_view unlabelled(std::string_view line) {
  for (int i = 0; i < kDeepest; ++i) {
    const auto label = label_of(line);
    if (!label) break;
    line.remove_prefix(label->size);
  }
  return line;
}

std::vector<Speaker> speakers(const std::vector<std::string>& lines) {
  std::vector<Speaker> found;
  std::vector<std::string_view> failed;
  for (const std::string& line : lines) {
    std::string label;
    std::string_view rest = line;
    for (int i = 0; i < kDeepest; ++i) {
      const auto next = label_of(rest);
      if (!next) break;
      if (!next->name.empty()) label += std::string(next->name) + " ";
      rest.remove_prefix(next->size);
    }
    if (!label.empty()) label.pop_back();
    auto speaker =
        std::find_if(found.begin(), found.end(), [&](const Speaker& s) { return s.label == label; });
    if (speaker == found.end()) speaker = found.insert(found.end(), {label, {}, false});
    speaker->lines.emplace_back(rest);
    if (!label.empty() && tells_failure(rest)) speaker->failed = true;
    if (const auto name = named_failure(rest); !name.empty()) failed.push_back(name);
    // Its end may be told long after it spoke last, and for another's sake.
    if (!tells_end(rest)) std::rotate(speaker, speaker + 1, found.end());
  }
  for (Speaker& speaker : found) {
    if (std::find(failed.begin(), failed.end(), speaker.label) != failed.end()) speaker.failed = true;
  }
  return found;
}

}  // namespace codex
