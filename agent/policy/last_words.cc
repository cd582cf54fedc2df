#include "agent/policy/last_words.h"

#include <algorithm>

#include "agent/policy/death_report.h"
#include "agent/policy/output_lines.h"
#include "agent/policy/stack_places.h"
#include "agent/text/words.h"

namespace codex {

namespace {

constexpr std::size_t kCompilersEnd = 10;  ///< lines

template <std::size_t N>
bool begins_with_any(std::string_view line, const std::string_view (&parts)[N]) {
  return std::any_of(std::begin(parts), std::end(parts),
                     [&](std::string_view part) { return line.starts_with(part); });
}

bool has_letter(std::string_view line) {
  return std::any_of(line.begin(), line.end(),
                     [](char c) { return is_letter(c) || static_cast<unsigned char>(c) >= 0x80; });
}

/// What npm, shells, make and watchers say about the end of what they have started, or about themselves.
bool is_of_a_wrapper(std::string_view line) {
  constexpr std::string_view kBegin[] = {"npm ",
                                         "npm ERR",
                                         "exit status ",
                                         "Node.js v",
                                         "make: ***",
                                         "make[",
                                         "[nodemon] ",
                                         "[tsx] ",
                                         "> ",
                                         "Failed running '",
                                         "Completed running '",
                                         "Restarting '",
                                         "error Command failed",
                                         "info Visit https://yarnpkg.com",
                                         "Process Exit with Code",
                                         "failed to build, error: exit",
                                         "ELIFECYCLE",
                                         "WARN   Local package.json",
                                         "Waiting for the debugger",
                                         "(Use `node ",
                                         "stack traceback:",
                                         "--> Sending "};
  constexpr std::string_view kPart[] = {
      " exited with ", " exited (",          " ELIFECYCLE ", "Watching for file changes",
      "Press CTRL+C",  "Segmentation fault", "Terminated",   "Aborted (core dumped)"};
  return begins_with_any(line, kBegin) || contains_any(line, kPart);
}

bool looks_like_an_error(std::string_view line) {
  constexpr std::string_view kWords[] = {
      "error",   "fatal",    "panic",    "cannot",    "can't",      "could not", "exception", "failed",
      "failure", "unable",   "denied",   "refused",   "not found",  "no such",   "missing",   "invalid",
      "in use",  "critical", "required", "undefined", "unexpected", "unhandled", "attempt to"};
  constexpr std::string_view kHarmless[] = {"warn",  "[warn",  "info", "[info",
                                            "debug", "[debug", "run ", "try "};
  constexpr std::string_view kNone[] = {"0 errors", "no errors", "0 failed", "without error"};
  const std::string lower = to_lower(line);
  return contains_any(lower, kWords) && !begins_with_any(lower, kHarmless) && !contains_any(lower, kNone);
}

/// The value of `key` in a line of JSON, with its escapes; "" without it.
std::string_view json_text(std::string_view line, std::string_view key) {
  const std::string mark = "\"" + std::string(key) + "\":\"";
  const std::size_t at = line.find(mark);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + mark.size());
  std::size_t end = 0;
  while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
  return line.substr(0, end);
}

/// A line of a structured log: what it says, and whether it says that it is an error (pino counts from 50).
struct Logged {
  std::string text;
  bool error = false;
};
std::optional<Logged> logged(std::string_view line) {
  if (!line.starts_with('{') || !line.ends_with('}')) return std::nullopt;
  constexpr std::string_view kLevels[] = {
      "\"level\":\"error", "\"level\":\"fatal",    "\"level\":\"crit",       "\"level\":50",
      "\"level\":60",      "\"severity\":\"error", "\"severity\":\"critical"};
  std::string text;
  // pino has its own sentence in the one, and the error's message in the other.
  for (const std::string_view key : {"msg", "message"}) {
    const std::string_view said = json_text(line, key);
    if (!said.empty()) text += (text.empty() ? "" : ": ") + std::string(said);
  }
  if (text.empty()) return std::nullopt;
  return Logged{std::move(text), contains_any(to_lower(line), kLevels)};
}

/// "Uncaught x in /srv/app/index.php:3", as PHP says it.
LastWords error_line(std::size_t index, std::string text) {
  const std::size_t in = text.rfind(" in ");
  const auto where = in == std::string::npos ? std::nullopt : place(std::string_view(text).substr(in + 4));
  if (where) text.resize(in);
  return {Telling::kError, index, std::move(text), where ? where->where : ""};
}

/// "./main.go:2:15: declared but not used", "Main.java:1: error: x": what compilers say.
std::optional<LastWords> compiler_words(std::string_view line, std::size_t index) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos || indent_of(line) > 0 || contains(line, "warning: "))
    return std::nullopt;
  const auto found = place(line.substr(0, colon));
  if (!found) return std::nullopt;
  return LastWords{Telling::kError, index, std::string(line.substr(colon + 2)), found->where};
}

/// "src/app.ts(3,7): error TS1005"; of many the first, since the others follow from it.
std::size_t first_of_a_compiler(const Lines& lines, std::size_t index) {
  const auto is_typescript = [](std::string_view line) {
    return contains(line, "): error TS") || contains(line, " - error TS");
  };
  while (index > 0 && is_typescript(lines[index]) && is_typescript(lines[index - 1])) --index;
  return index;
}

bool is_fatal(std::string_view line) {
  constexpr std::string_view kWords[] = {"fatal", "panic", "critical", "cannot"};
  return contains_any(to_lower(line), kWords);
}

/// What a compiler says at the end of its work, more lines about its number of errors below it.
std::optional<LastWords> compiler_words(const Lines& lines, std::size_t from) {
  for (std::size_t i = lines.size(); i-- > from && i + kCompilersEnd >= lines.size();) {
    if (auto found = compiler_words(lines[i], i)) return found;
  }
  return std::nullopt;
}

/// The newest line that looks like an error and is no wrapper's.
std::optional<LastWords> error_words(const Lines& lines, std::size_t from) {
  if (auto found = compiler_words(lines, from)) return found;
  for (std::size_t i = lines.size(); i-- > from;) {
    const std::string_view line = lines[i];
    if (!has_letter(line) || is_of_a_wrapper(line) || indent_of(line) >= 2) continue;
    if (const auto log = logged(line)) {
      if (log->error) return LastWords{Telling::kError, i, log->text, ""};
      continue;
    }
    if (!looks_like_an_error(line)) continue;
    const std::size_t first = first_of_a_compiler(lines, i);
    return error_line(first, std::string(trim(lines[first], kBlanks)));
  }
  return std::nullopt;
}

/// Where a wrapper is all that spoke: npm that cannot read its package.json.
std::optional<LastWords> wrapper_words(const Lines& lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const bool npm = line.starts_with("npm error ") || line.starts_with("npm ERR! ");
    if (npm && (contains(line, ": ")) && looks_like_an_error(line.substr(9)))
      return LastWords{Telling::kError, i, std::string(line), ""};
  }
  return std::nullopt;
}

/// The newest line of all, rather none that continues another.
std::optional<LastWords> newest_line(const Lines& lines) {
  std::optional<LastWords> found;
  for (std::size_t i = lines.size(); i-- > 0;) {
    if (!has_letter(lines[i]) || is_of_a_wrapper(lines[i])) continue;
    const bool continues = indent_of(lines[i]) >= 2;
    if (continues && found) continue;
    const auto log = logged(lines[i]);
    found = LastWords{Telling::kLast, i, log ? log->text : std::string(trim(lines[i], kBlanks)), ""};
    if (!continues) break;
  }
  return found;
}

}  // namespace

std::optional<LastWords> last_words(const Lines& lines) {
  if (auto report = newest_report(lines)) {
    // What was reported may have been lived through; who says afterwards that it is fatal says why.
    auto after = report->final ? std::nullopt : error_words(lines, report->end);
    if (after && is_fatal(after->text)) return after;
    return LastWords{Telling::kReport, report->head, std::move(report->text), std::move(report->place)};
  }
  if (auto found = error_words(lines, 0)) return found;
  if (auto found = wrapper_words(lines)) return found;
  return newest_line(lines);
}

LastWords words_at(const Lines& lines, std::size_t line) {
  // Its report is the newest of what was written up to the end of its stack.
  std::size_t end = line + 1;
  while (end < lines.size() && (indent_of(lines[end]) > 0 || lines[end].starts_with("Require stack:") ||
                                lines[end].starts_with("- ")))
    ++end;
  const auto report = newest_report(Lines(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(end)));
  if (report && report->head <= line && line < report->end)
    return {Telling::kReport, report->head, report->text, report->place};
  return {Telling::kError, line, std::string(trim(lines[line], kBlanks)), ""};
}

std::string to_text(const LastWords& words, std::string_view directory, std::size_t max_text) {
  std::string_view text = words.text, place = words.place;
  std::string shown(text.substr(0, max_text));
  if (text.size() > max_text) shown += "...";
  if (place.empty()) return shown;
  if (!directory.empty() && place.starts_with(directory) && place.substr(directory.size()).starts_with('/'))
    place.remove_prefix(directory.size() + 1);
  while (place.starts_with("./")) place.remove_prefix(2);
  return shown + " (" + std::string(place) + ")";
}

}  // namespace codex
