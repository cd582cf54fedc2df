#pragma once

#include <string>
#include <string_view>

namespace codex {

/// Writes all of `text` to a descriptor. false once the reader is gone (SIGPIPE must be ignored).
bool write_text(int fd, std::string_view text);
bool print(std::string_view text);           ///< standard output
void print_error(std::string_view message);  ///< standard error: "codex-agent: MESSAGE\n"

bool stdout_is_terminal();
bool use_colour();               ///< a terminal, TERM is not dumb, NO_COLOR is not set (no-color.org)
std::size_t terminal_columns();  ///< 80 if the terminal does not say

/// Whether whoever read our standard output has gone: a follower must notice without writing.
bool stdout_reader_gone();

/// While it lives, SIGINT is noted instead of ending the process. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  [[nodiscard]] static bool interrupted();
};

/// The line of a terminal that is rewritten in place.
class LiveLine {
 public:
  ~LiveLine() { clear(); }
  void show(const std::string& line);  ///< cut to the width of the terminal
  void clear();

 private:
  std::string shown_;
};

}  // namespace codex
