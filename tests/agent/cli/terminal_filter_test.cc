#include "agent/cli/terminal_filter.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

std::string filtered(std::string_view text) {
  TerminalFilter filter;
  std::string shown = filter.feed(text);
  return shown += filter.finish();
}

TEST(TerminalFilter, LinesTabsColoursAndLettersPass) {
  EXPECT_EQ(filtered("a\tb\n\x1b[1;31mred\x1b[0m\x1b[m é ✅\n"), "a\tb\n\x1b[1;31mred\x1b[0m\x1b[m é ✅\n");
}

TEST(TerminalFilter, SequencesThatMoveOrAskAreShown) {
  EXPECT_EQ(filtered("\x1b[2J"), "\\x1B[2J");
  EXPECT_EQ(filtered("\x1b]0;title\x07"), "\\x1B]0;title\\x07");
  EXPECT_EQ(filtered("\x1b[6n\r\x7f"), "\\x1B[6n\\x0D\\x7F");
  EXPECT_EQ(filtered("\xc2\x9b"
                     "2J"),
            "\\xC2\\x9B2J");
  EXPECT_EQ(filtered(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(TerminalFilter, TheResultDoesNotDependOnThePieces) {
  const std::string text = "x\x1b[1;31mred\x1b[2J\xc2\x9b é\xc2\xa0\x1b";
  const std::string whole = filtered(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    TerminalFilter filter;
    std::string pieces = filter.feed(std::string_view(text).substr(0, cut));
    pieces += filter.feed(std::string_view(text).substr(cut));
    EXPECT_EQ(pieces + filter.finish(), whole) << cut;
  }
}

TEST(TerminalFilter, AnEndlessSequenceIsNotHeldBackForEver) {
  const std::string text = "\x1b[" + std::string(30'000, '1') + "m";
  TerminalFilter filter;
  EXPECT_EQ(filter.feed(text).size(), text.size() + 3);
  EXPECT_EQ(filter.finish(), "");
}

}  // namespace
}  // namespace codex
