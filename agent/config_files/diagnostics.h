#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace codex {

/// One mistake. line and column are 1-based, 0 if it is not about a place in a file.
struct ConfigError {
  std::string file;
  unsigned line = 0, column = 0;
  std::string message;  ///< what, why, what to do next; safe to show
};

/// "codex-agent.toml:12:3: ..." or "PORT: ..."
std::string to_string(const ConfigError& error);

/// Where something stands in a file; 1-based, the column counts characters, 0:0 is "nowhere in a file".
struct Place {
  unsigned line = 0, column = 0;
};

/// What one load found out: every mistake, and what is allowed but surprising. Loop thread or start-up.
struct Diagnostics {
  std::vector<ConfigError> errors;
  std::vector<std::string> warnings;

  /// `file` is a file as people write it ("codex-agent.toml") or the name of an environment variable.
  void error(std::string file, Place place, std::string message) {
    errors.push_back({std::move(file), place.line, place.column, std::move(message)});
  }
  void warn(std::string message) { warnings.push_back(std::move(message)); }
};

/// A value, or why there is none: a predicate that follows the shown value, such as "is not a port
/// (1-65535)".
template <typename T>
struct Parsed {
  std::optional<T> value;
  std::string error;

  static Parsed good(T result) { return {std::move(result), {}}; }
  static Parsed bad(std::string why) { return {std::nullopt, std::move(why)}; }
};

/// `text` in quotes for a message: control bytes escaped, cut at 40 bytes. A text that may hold credentials
/// (a URL, user@host, NAME=value) is not repeated at all.
std::string shown(std::string_view text);

/// `name` (a key, a probe's name) in quotes for a message, with the same caution.
std::string quoted_name(std::string_view name);

}  // namespace codex
