#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config_files/diagnostics.h"
#include "agent/text/redactor.h"

namespace codex {

/// Writes a TOML 1.0 document table by table. Every text goes through `redactor`; bytes that are not UTF-8
/// become U+FFFD, because TOML cannot hold them.
class TomlWriter {
 public:
  explicit TomlWriter(const Redactor& redactor) : redactor_(redactor) {}

  /// Opens [a.b.c].
  void table(const std::vector<std::string>& path);
  void comment(std::string_view text);
  void text(std::string_view key, std::string_view value);
  void texts(std::string_view key, const std::vector<std::string>& values);
  void number(std::string_view key, std::int64_t value);
  void fraction(std::string_view key, double value);
  void flag(std::string_view key, bool value);
  /// A commented-out `key = "***"`.
  void hidden(std::string_view key);

  [[nodiscard]] const std::string& document() const { return document_; }

 private:
  void line(std::string_view key, std::string_view value);
  [[nodiscard]] std::string quote(std::string_view text) const;

  const Redactor& redactor_;
  std::string document_;
};

}  // namespace codex
