#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "agent/output/line_splitter.h"
#include "agent/text/redactor.h"

namespace codex {

/// Turns the bytes of one stream into lines without secrets, whatever pieces they come in.
///
/// What cannot be told yet is held: the unfinished line, and of a line whose beginning was taken already
/// what may be the beginning of a secret. Pure.
class LineMasker {
 public:
  static constexpr std::size_t kMaxShownLine = 1024;

  /// `line`: called with each line that ended, masked, cut somewhere above kMaxShownLine.
  LineMasker(const Redactor& redactor, std::function<void(std::string)> line);

  void feed(std::string_view bytes);

  /// Holds the unfinished line no longer, but for the beginning of a secret.
  void flush();

  /// Ends the unfinished line, if there is one. Nothing more of it will come, so the beginning of a secret is
  /// all there is of it.
  void end_line();

  /// Forgets what is held but for its first `bytes`, and holds those no longer.
  void keep_of_held(std::size_t bytes);

  /// The masked text since the last call.
  [[nodiscard]] std::string take();

  /// How many of the bytes fed last are not in what take() gives.
  [[nodiscard]] std::size_t held_bytes() const { return splitter_.partial_bytes() + held_back_.size(); }

  /// The beginning, as far as it is not held, of the line that has not ended; cut above kMaxShownLine.
  [[nodiscard]] const std::string& unfinished_line() const { return unfinished_line_; }

 private:
  void accept(std::string_view piece, bool complete);
  void write(std::string_view text, bool complete);
  void write_held_back(bool complete);

  const Redactor& redactor_;
  std::function<void(std::string)> line_;
  LineSplitter splitter_;
  std::string held_back_;  // of an unfinished line: may become a secret
  std::string text_;
  std::string unfinished_line_;
};

}  // namespace codex
