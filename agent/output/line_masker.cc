#include "agent/output/line_masker.h"

#include <algorithm>
#include <utility>

namespace codex {

namespace {

constexpr std::size_t kMaxHeldBack = 64 << 10;
constexpr std::size_t kTellingBytes = 4;  // As short as a secret may be.

}  // namespace

LineMasker::LineMasker(const Redactor& redactor, std::function<void(std::string)> line)
    : redactor_(redactor), line_(std::move(line)) {}

void LineMasker::feed(std::string_view bytes) {
  splitter_.feed(bytes, [this](std::string_view piece, bool complete) { accept(piece, complete); });
}

void LineMasker::accept(std::string_view piece, bool complete) {
  if (complete && held_back_.empty()) {
    write(redactor_.scrub(piece), true);
    return;
  }
  held_back_ += piece;
  // Of an unfinished line, what may be the beginning of a secret waits for the rest of it.
  std::size_t ready = complete ? held_back_.size() : redactor_.safe_prefix(held_back_);
  if (held_back_.size() > kMaxHeldBack) ready = held_back_.size();
  const std::string text = redactor_.scrub(std::string_view(held_back_).substr(0, ready));
  held_back_.erase(0, ready);
  write(text, complete);
}

void LineMasker::write(std::string_view text, bool complete) {
  text_.append(text);
  // More than is shown, so that whoever shows it can tell that there was more.
  if (unfinished_line_.size() <= kMaxShownLine) unfinished_line_.append(text.substr(0, kMaxShownLine + 1));
  if (!complete) return;
  text_ += '\n';
  line_(std::exchange(unfinished_line_, {}));
}

void LineMasker::write_held_back(bool complete) {
  const bool recognisable = held_back_.size() >= kTellingBytes;
  write(recognisable ? std::string_view("***") : std::string_view(held_back_), complete);
  held_back_.clear();
}

void LineMasker::flush() {
  const std::string partial = splitter_.take_partial();
  if (!partial.empty()) accept(partial, false);
}

void LineMasker::end_line() {
  flush();
  if (!held_back_.empty() || !unfinished_line_.empty()) write_held_back(true);
}

void LineMasker::keep_of_held(std::size_t bytes) {
  std::string held = std::exchange(held_back_, {}) + splitter_.take_partial();
  held.resize(std::min(bytes, held.size()));
  if (!held.empty()) accept(held, false);
  if (!held_back_.empty()) write_held_back(false);
}

std::string LineMasker::take() {
  return std::exchange(text_, {});
}

}  // namespace codex
