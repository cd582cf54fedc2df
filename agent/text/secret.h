#pragma once

#include <string>
#include <utility>

namespace codex {

/// Text that must appear in no output. It has no operator<<, formatter or JSON conversion on purpose;
/// whoever needs the text says so with reveal(). Register it with a Redactor before anything is logged.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string text_;
};

}  // namespace codex
