#include "agent/policy/death_report.h"

#include <algorithm>
#include <string_view>

#include "agent/policy/output_lines.h"
#include "agent/policy/stack_places.h"
#include "agent/text/words.h"

namespace codex {

namespace {

constexpr std::size_t kLongestMessage = 12;  ///< lines between an error's name and its stack
constexpr std::size_t kLongestStack = 60;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(kBlanks) == std::string_view::npos;
}

void take_prefix(std::string_view& text, std::string_view prefix) {
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
}

/// "TypeError: x", "Error [ERR_X]: x", "startup failed: RangeError: x"; not within a stack.
bool names_an_error(std::string_view line) {
  if (indent_of(line) > 0) return false;
  for (const std::string_view kind : {"Error", "Exception", "Rejection", "ERROR"}) {
    for (std::size_t at = line.find(kind); at != std::string_view::npos; at = line.find(kind, at + 1)) {
      const std::string_view rest = line.substr(at + kind.size());
      if (rest.empty() || rest.starts_with(':') || rest.starts_with(" [") || rest.starts_with(" {"))
        return true;
    }
  }
  return line.starts_with("Caused by: ");
}

/// Node says what was rejected at the end of a long sentence.
std::string rejection(std::string_view text) {
  constexpr std::string_view kName = "UnhandledPromiseRejection: ", kReason = "with the reason ";
  const std::size_t name = text.find(kName), reason = text.find(kReason);
  if (name == std::string_view::npos || reason == std::string_view::npos || reason < name)
    return std::string(text);
  std::string_view what = text.substr(reason + kReason.size());
  what = what.substr(0, what.rfind('.'));
  return std::string(kName) + std::string(what);
}

std::string error_text(const Lines& lines, std::size_t head) {
  std::string_view text = trim(lines[head], kBlanks);
  if (text.starts_with("Exception in thread \"")) {
    const std::size_t end = text.find("\" ");
    if (end != std::string_view::npos) text.remove_prefix(end + 2);
  }
  for (const std::string_view prefix : {"Unhandled exception. ", "Caused by: ", "Uncaught "})
    take_prefix(text, prefix);
  if (text.ends_with(" {")) text.remove_suffix(2);
  std::string told = rejection(text);
  // "Unable to compile TypeScript:", "Invalid configuration:": what follows is what it says.
  std::size_t next = head + 1;
  while (told.ends_with(':') && next < lines.size() && next <= head + kLongestMessage) {
    const std::string_view line = lines[next++];
    if (is_at_frame(line) || line.starts_with("Node.js v")) break;
    if (!is_blank(line)) told += " " + std::string(trim(line, kBlanks));
  }
  return told;
}

/// Reads `lines` from the beginning and keeps the newest report.
class Reader {
 public:
  explicit Reader(const Lines& lines) : lines_(lines) {}

  std::optional<DeathReport> newest() {
    for (std::size_t i = 0; i < lines_.size();) {
      const std::string_view line = lines_[i];
      if (python_frame(line))
        i = traceback(i);
      else if (is_at_frame(line))
        i = stack(i);
      else if (is_caret(i))
        i = source(i);
      else if (line.starts_with("panic: ") || line.starts_with("fatal error: "))
        i = go(i);
      else if (const auto colon = ruby_message(line))
        i = ruby(i, *colon);
      else if (line.find(" panicked at ") != std::string_view::npos)
        i = rust(i);
      else if (line.starts_with("terminate called after throwing"))
        i = terminate(i);
      else
        i = other(i);
    }
    return std::move(report_);
  }

 private:
  /// The first, or the last, place in the application's own code.
  struct Places {
    void add(const std::optional<StackPlace>& place) {
      if (place && place->own && own.empty()) own = place->where;
    }
    void add_last(const std::optional<StackPlace>& place) {
      if (place && place->own) own = place->where;
    }
    std::string own;
  };

  std::size_t other(std::size_t i) {
    if (report_ && lines_[i].starts_with("Node.js v")) report_->final = true;
    return i + 1;
  }

  std::size_t traceback(std::size_t i) {
    const std::size_t indent = indent_of(lines_[i]);
    Places places;
    for (; i < lines_.size() && (indent_of(lines_[i]) >= indent || is_blank(lines_[i])); ++i)
      places.add_last(python_frame(lines_[i]));
    if (i == lines_.size()) return i;
    report_ = {i, i + 1, error_text(lines_, i), places.own, false};
    return i + 1;
  }

  /// The source, with a caret below it and its place above it.
  [[nodiscard]] bool is_caret(std::size_t i) const {
    const std::string_view line = trim(lines_[i], kBlanks);
    return i >= 2 && !line.empty() && line.find_first_not_of('^') == std::string_view::npos &&
           place(lines_[i - 2]).has_value();
  }

  std::size_t source(std::size_t i) {
    const auto where = place(lines_[i - 2]);
    ++i;
    while (i < lines_.size() && is_blank(lines_[i])) ++i;
    if (i == lines_.size()) return i;
    report_ = {i, i + 1, error_text(lines_, i), where->own ? where->where : "", false};
    return i + 1;
  }

  /// The line that names the error whose stack begins at `i`.
  [[nodiscard]] std::size_t head_of(std::size_t i) const {
    const std::size_t top = i > kLongestMessage ? i - kLongestMessage : 0;
    for (std::size_t head = i; head-- > top;) {
      if (names_an_error(lines_[head]) || (report_ && report_->head == head)) return head;
      if (report_ && head < report_->end) break;
    }
    std::size_t head = i;
    while (head-- > top)
      if (!is_blank(lines_[head])) return head;
    return i;
  }

  std::size_t stack(std::size_t i) {
    const std::size_t head = head_of(i);
    DeathReport found{head, i, error_text(lines_, head), "", false};
    if (report_ && report_->head == head) found = *report_;
    const bool warning = lines_[head].starts_with("(node:");
    Places all, innermost;
    for (; i < lines_.size(); ++i) {
      const std::string_view line = lines_[i];
      if (line.starts_with("Caused by: ")) {
        found.head = i;
        found.text = error_text(lines_, i);
        innermost = {};
      } else if (indent_of(line) == 0 && line != "}" && line != "]" &&
                 !line.starts_with("Emitted 'error' event")) {
        break;
      }
      if (!is_at_frame(line)) continue;
      all.add(at_frame(line));
      innermost.add(at_frame(line));
    }
    const std::string& own = innermost.own.empty() ? all.own : innermost.own;
    if (!own.empty()) found.place = own;
    found.end = i;
    if (!warning) report_ = std::move(found);
    return i;
  }

  std::size_t go(std::size_t i) {
    Places places;
    std::size_t end = i + 1;
    for (; end < lines_.size() && end < i + kLongestStack && !lines_[end].starts_with("exit status"); ++end)
      places.add(go_frame(lines_[end]));
    report_ = {i, end, std::string(trim(lines_[i], kBlanks)), places.own, true};
    return end;
  }

  /// Where the message begins in "file.rb:2:in `f': message".
  static std::optional<std::size_t> ruby_message(std::string_view line) {
    if (indent_of(line) > 0 || !ruby_frame(line)) return std::nullopt;
    const std::size_t end = line.find("': ", line.find(":in "));
    return end == std::string_view::npos ? std::nullopt : std::optional(end + 3);
  }

  std::size_t ruby(std::size_t i, std::size_t message) {
    Places places;
    places.add(ruby_frame(lines_[i]));
    std::size_t end = i + 1;
    for (; end < lines_.size() && (indent_of(lines_[end]) > 0 || is_blank(lines_[end])); ++end)
      places.add(ruby_frame(lines_[end]));
    report_ = {i, end, lines_[i].substr(message), places.own, false};
    return end;
  }

  /// "thread 'main' panicked at src/main.rs:2:5:" and the message below, or all in one line.
  std::size_t rust(std::size_t i) {
    std::string_view where = lines_[i];
    where.remove_prefix(where.find(" panicked at ") + 13);
    const bool below = where.ends_with(':') && i + 1 < lines_.size();
    if (below) where.remove_suffix(1);
    const auto found = below ? place(where) : std::nullopt;
    report_ = {i, i + 2, found ? "panicked: " + lines_[i + 1] : std::string(trim(lines_[i], kBlanks)),
               found ? found->where : "", true};
    return std::min(i + 2, lines_.size());
  }

  /// C++: "terminate called after throwing an instance of 'T'", and "  what():  message" below.
  std::size_t terminate(std::size_t i) {
    std::string_view type = lines_[i];
    type.remove_prefix(std::min(type.find('\''), type.size() - 1) + 1);
    type = type.substr(0, type.find('\''));
    std::string_view what = i + 1 < lines_.size() ? trim(lines_[i + 1], kBlanks) : std::string_view{};
    const bool said = what.starts_with("what():");
    take_prefix(what, "what():");
    const std::string message = said ? ": " + std::string(trim(what, kBlanks)) : "";
    report_ = {i, i + (said ? 2 : 1), std::string(type) + message, "", true};
    return report_->end;
  }

  const Lines& lines_;
  std::optional<DeathReport> report_;
};

}  // namespace

std::optional<DeathReport> newest_report(const Lines& lines) {
  return Reader(lines).newest();
}

}  // namespace codex
