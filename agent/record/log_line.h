#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace codex {

/// One log message of the form `state_changed backend=api exit_code=3 reason="port taken"`.
///
/// A value with anything but plain visible ASCII is quoted; in quotes `"` and `\` get a backslash, control
/// bytes become \xNN and invalid UTF-8 U+FFFD. A value is cut at 1,024 bytes.
class LogLine {
 public:
  explicit LogLine(std::string_view event) : text_(event) {}

  LogLine& kv(std::string_view key, std::string_view value);
  LogLine& kv(std::string_view key, double value);  ///< six significant digits

  template <std::integral T>
  LogLine& kv(std::string_view key, T value) {
    if constexpr (std::same_as<T, bool>) {
      return kv(key, value ? std::string_view("true") : std::string_view("false"));
    } else {
      return kv(key, std::string_view(std::to_string(value)));
    }
  }

  [[nodiscard]] const std::string& str() const { return text_; }

 private:
  std::string text_;
};

}  // namespace codex
