#pragma once

#include <regex.h>

#include <memory>
#include <string>

namespace codex {

/// A compiled POSIX extended expression (regcomp(3)). Immutable; may be used from any thread.
class BodyRegex {
 public:
  /// Throws std::invalid_argument with regcomp's words.
  explicit BodyRegex(const std::string& pattern);

  /// True if it matches anywhere; `text` may hold NUL bytes. May take seconds on a long text: call it from a
  /// Worker.
  [[nodiscard]] bool matches(const std::string& text) const;

 private:
  std::shared_ptr<const regex_t> compiled_;
};

}  // namespace codex
