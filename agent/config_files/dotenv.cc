#include "agent/config_files/dotenv.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "agent/config_files/text_file.h"
#include "agent/text/words.h"

namespace codex {

namespace {

constexpr std::string_view kBlanks = " \t\v\f";

bool is_blank(char c) {
  return kBlanks.find(c) != std::string_view::npos;
}

bool is_name_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '-';
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    result.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return result.append(text);
}

// Walks the text once; at_ is always inside the line that is being read.
class DotenvScanner {
 public:
  DotenvScanner(std::string_view text, Dotenv& result, Diagnostics& diagnostics)
      : text_(text), result_(result), diagnostics_(diagnostics) {}

  void run() {
    while (at_ < text_.size()) {
      line_start_ = at_;
      read_line();
      advance_lines(end_of_line(at_) + 1);
    }
  }

 private:
  [[nodiscard]] std::size_t end_of_line(std::size_t from) const {
    return std::min(text_.find('\n', from), text_.size());
  }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  [[nodiscard]] bool at_end_of_line() const { return at_ >= text_.size() || text_[at_] == '\n'; }

  void advance_lines(std::size_t to) {
    to = std::min(to, text_.size());
    line_ += static_cast<unsigned>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(line_start_),
                                              text_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }

  std::string_view read_name() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  void read_line() {
    skip_blanks();
    if (at_end_of_line() || text_[at_] == '#') return;
    std::size_t name_start = at_;
    std::string_view name = read_name();
    if (name == "export" && at_ < text_.size() && is_blank(text_[at_])) {
      const std::size_t after_export = at_;
      skip_blanks();
      const std::size_t second_start = at_;
      const std::string_view second = read_name();
      if (second.empty()) {
        at_ = after_export;  // "export = 1" sets a variable of that name.
      } else {
        name = second;
        name_start = second_start;
      }
    }
    if (name.empty() || !skip_separator()) {
      warn("is not KEY=VALUE; it is ignored");
      return;
    }
    const unsigned column = static_cast<unsigned>(name_start - line_start_) + 1;
    result_.entries.insert_or_assign(std::string(name), Dotenv::Entry{read_value(name), {line_, column}});
  }

  bool skip_separator() {
    const bool colon = text_.substr(at_).starts_with(": ");
    skip_blanks();
    if (!colon && (at_end_of_line() || text_[at_] != '=')) return false;
    ++at_;
    skip_blanks();
    return true;
  }

  [[nodiscard]] bool only_comment_follows(std::size_t from) const {
    while (from < text_.size() && is_blank(text_[from])) ++from;
    return from >= text_.size() || text_[from] == '\n' || text_[from] == '#';
  }

  // The text between quotes of one kind; nullopt, and at_ unmoved, unless only a comment follows on the line.
  // A quote after a backslash closes only if no later one does ("C:\dir\" is a value too).
  std::optional<std::string_view> read_quoted() {
    const char quote = text_[at_];
    std::vector<std::size_t> candidates;
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] != quote) continue;
      candidates.push_back(i);
      if (text_[i - 1] != '\\') break;
    }
    for (auto end = candidates.rbegin(); end != candidates.rend(); ++end) {
      if (!only_comment_follows(*end + 1)) continue;
      const std::string_view inside = text_.substr(at_ + 1, *end - at_ - 1);
      at_ = *end + 1;
      return inside;
    }
    return std::nullopt;
  }

  std::string read_value(std::string_view name) {
    if (at_end_of_line()) return {};
    const char first = text_[at_];
    const bool quoted = first == '"' || first == '\'' || first == '`';
    std::string value;
    if (const auto inside = quoted ? read_quoted() : std::nullopt) {
      value = *inside;
    } else {
      if (quoted) warn("has a quote that is not closed (value of " + quoted_name(name) + ")");
      value = read_unquoted(name);
      const bool wrapped = quoted && value.size() >= 2 && value.back() == first;
      if (wrapped) value = value.substr(1, value.size() - 2);
    }
    if (first == '"') {
      value = replace_all(replace_all(value, "\\n", "\n"), "\\r", "\r");
    }
    return value;
  }

  std::string read_unquoted(std::string_view name) {
    const std::string_view line = text_.substr(at_, end_of_line(at_) - at_);
    const std::size_t hash = line.find('#');
    if (hash != std::string_view::npos && hash > 0 && !is_blank(line[hash - 1])) {
      warn("ends the value of " + quoted_name(name) + " at '#'; quote the value if '#' belongs to it");
    }
    return std::string(trim(line.substr(0, hash), kBlanks));
  }

  void warn(const std::string& what) {
    diagnostics_.warn(result_.file + ":" + std::to_string(line_) + ": this line " + what);
  }

  std::string_view text_;
  Dotenv& result_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  unsigned line_ = 1;
};

}  // namespace

Dotenv parse_dotenv(std::string_view text, const std::string& file, Diagnostics& diagnostics) {
  constexpr std::size_t kMostWarnings = 10;  // A file that is no .env at all would drown everything else.
  Dotenv result{file, {}};
  Diagnostics found;
  std::string lines = replace_all(text, "\r\n", "\n");
  std::replace(lines.begin(), lines.end(), '\r', '\n');
  DotenvScanner(lines, result, found).run();
  if (found.warnings.size() > kMostWarnings) {
    const std::size_t more = found.warnings.size() - kMostWarnings;
    found.warnings.resize(kMostWarnings);
    found.warn(file + ": " + std::to_string(more) + " more such lines");
  }
  diagnostics.warnings.insert(diagnostics.warnings.end(), found.warnings.begin(), found.warnings.end());
  return result;
}

}  // namespace codex
