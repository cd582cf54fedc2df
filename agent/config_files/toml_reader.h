#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/config_files/diagnostics.h"
#include "agent/os/clock.h"

namespace codex {

/// The word of a closed set for `value`, as TomlTable::choice() reads it.
template <typename T>
std::string word_for(T value, const std::vector<std::pair<std::string, T>>& words) {
  for (const auto& [word, meaning] : words) {
    if (meaning == value) return word;
  }
  return {};
}

/// One table of a TOML file with typed access (toml++ underneath). What is wrong goes to the Diagnostics with
/// its place, and the getter answers nullopt, as for an absent key. The keys that were asked for are the
/// known ones: reject_unknown() reports every other. A table that is absent is empty and quiet.
class TomlTable {
 public:
  /// Parses `text`, nullopt after a syntax error. `file` is how the file is shown. `diagnostics` must outlive
  /// the table and its copies.
  static std::optional<TomlTable> parse(std::string_view text, const std::string& file,
                                        Diagnostics& diagnostics);

  /// The table of a file that is not there.
  static TomlTable absent(Diagnostics& diagnostics);

  [[nodiscard]] bool present() const;
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> keys() const;  ///< in the order of the file

  /// True if the value of `key` is a string, whatever it says.
  [[nodiscard]] bool is_text(std::string_view key) const;

  std::optional<bool> flag(const std::string& key);
  std::optional<std::int64_t> whole(const std::string& key, std::int64_t least, std::int64_t most);
  std::optional<double> number(const std::string& key, double least, double most);
  std::optional<std::string> text(const std::string& key);
  std::optional<std::vector<std::string>> texts(const std::string& key);
  std::optional<Duration> duration(const std::string& key, Duration least, Duration most);
  std::optional<std::uint64_t> size(const std::string& key, std::uint64_t least, std::uint64_t most);

  /// A text in the grammar of `parser`, which must not fear hostile text.
  template <typename T>
  std::optional<T> parsed(const std::string& key, Parsed<T> (*parser)(std::string_view)) {
    const auto raw = text(key);
    if (!raw) return std::nullopt;
    Parsed<T> result = parser(*raw);
    if (!result.value) error_at(key, shown(*raw) + " " + result.error);
    return result.value;
  }

  /// One word of a closed set.
  template <typename T>
  std::optional<T> choice(const std::string& key, const std::vector<std::pair<std::string, T>>& words) {
    const auto raw = text(key);
    if (!raw) return std::nullopt;
    std::string allowed;
    for (const auto& [word, value] : words) {
      if (*raw == word) return value;
      allowed += (allowed.empty() ? "\"" : ", \"") + word + "\"";
    }
    error_at(key, shown(*raw) + " is not one of " + allowed);
    return std::nullopt;
  }

  /// The table at `key`; empty and quiet if it is absent.
  TomlTable table(const std::string& key);

  /// Where the value of `key` stands; the place of the table if the key is absent.
  [[nodiscard]] Place place(std::string_view key) const;
  [[nodiscard]] Place key_place(std::string_view key) const;

  /// Reports "KEY: MESSAGE" at the value of `key`; key "" is the table itself.
  void error_at(std::string_view key, const std::string& message);
  /// Reports `message` at the name of `key`.
  void error_at_key(std::string_view key, const std::string& message);

  /// Reports every key that nothing has asked for, with the nearest known one.
  void reject_unknown();

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const std::string& name() const { return name_; }  ///< "backend.codex.start", "" for the root

 private:
  TomlTable(std::shared_ptr<const void> table, std::string file, std::string name, Diagnostics& diagnostics);

  std::shared_ptr<const void>
      table_;  // toml::table, owns its document; null if absent. Keeps toml++ out of here.
  std::string file_;
  std::string name_;
  Diagnostics* diagnostics_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace codex
