#include "agent/config_files/toml_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/config_files/text_file.h"

namespace codex {

namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

std::string quote_raw(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t bad = std::min(find_invalid_utf8(text), text.size());
    for (const char c : text.substr(0, bad)) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        quoted.append({'\\', c});
      } else if (byte < 0x20 || byte == 0x7F) {
        quoted.append("\\u00").append({kHexDigits[byte >> 4], kHexDigits[byte & 15]});
      } else {
        quoted += c;
      }
    }
    if (bad < text.size()) quoted += "\uFFFD";
    text.remove_prefix(std::min(bad + 1, text.size()));
  }
  return quoted + '"';
}

std::string key_text(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
  return bare ? std::string(key) : quote_raw(key);
}

}  // namespace

void TomlWriter::table(const std::vector<std::string>& path) {
  document_ += document_.empty() ? "[" : "\n[";
  for (const std::string& part : path) document_ += (&part == &path.front() ? "" : ".") + key_text(part);
  document_ += "]\n";
}

void TomlWriter::comment(std::string_view text) {
  document_.append("# ").append(escape_for_display(redactor_.scrub(text), 4096)).append("\n");
}

void TomlWriter::text(std::string_view key, std::string_view value) {
  line(key, quote(value));
}

void TomlWriter::texts(std::string_view key, const std::vector<std::string>& values) {
  std::string array = "[";
  for (const std::string& value : values) array += (&value == &values.front() ? "" : ", ") + quote(value);
  line(key, array + "]");
}

void TomlWriter::number(std::string_view key, std::int64_t value) {
  line(key, std::to_string(value));
}

void TomlWriter::fraction(std::string_view key, double value) {
  std::array<char, 32> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed).ptr;
  line(key, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

void TomlWriter::flag(std::string_view key, bool value) {
  line(key, value ? "true" : "false");
}

void TomlWriter::hidden(std::string_view key) {
  comment(key_text(key) + " = \"***\"");
}

void TomlWriter::line(std::string_view key, std::string_view value) {
  document_.append(key_text(key)).append(" = ").append(value).append("\n");
}

std::string TomlWriter::quote(std::string_view text) const {
  return quote_raw(redactor_.scrub(text));
}

}  // namespace codex
