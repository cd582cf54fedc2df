#pragma once

#include <string>
#include <string_view>

namespace codex {

/// Makes a backend's raw output safe for a terminal: lines, tabs and colours (SGR sequences, ECMA-48 8.3.117)
/// pass, every other control byte becomes \xNN. Fed in pieces of any size.
class TerminalFilter {
 public:
  std::string feed(std::string_view piece);

  /// What is still held back, because it might have become a sequence.
  std::string finish();

 private:
  std::string pending_;  // an unfinished sequence: ESC ..., or the first byte of a C1 control
};

}  // namespace codex
