#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace codex {

/// Cuts a stream of bytes into lines, whatever the sizes of the reads. Holds at most `max_line` bytes.
class LineSplitter {
 public:
  /// `complete`: the line ended with a newline, which is not part of it; false for a piece of a line longer
  /// than `max_line`, of which more follows. The view is valid during the call only.
  using Emit = std::function<void(std::string_view line, bool complete)>;

  explicit LineSplitter(std::size_t max_line = 16384);

  void feed(std::string_view bytes, const Emit& emit);

  /// The beginning of a line that has not ended yet; what follows is then emitted as the rest of it.
  std::string take_partial();

  [[nodiscard]] std::size_t partial_bytes() const { return partial_.size(); }

 private:
  std::size_t max_line_;
  std::string partial_;
};

}  // namespace codex
