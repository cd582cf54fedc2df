#include "agent/text/plain_text.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(PlainText, IsWhatATerminalWouldHaveLeft) {
  const std::pair<std::string, std::string> rows[] = {
      {"", ""},
      {"plain [31m", "plain [31m"},
      {"\x1b[31m[nodemon] crashed\x1b[39m", "[nodemon] crashed"},
      {"\x1b[38;5;196mred\x1b[0m and \x1b[1mbold", "red and bold"},
      {"\x1b[2J\x1b[3J\x1b[Hcompiling", "compiling"},
      {"\x1b]0;title\x07text", "text"},
      {"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
      {"\x1b(Btext", "text"},
      {"10 %\r50 %\rdone\r", "done"},
      {"\tat A.main(A.java:3)", "    at A.main(A.java:3)"},
      {"\x1b", ""},
      {"x\x1b[", "x"},
      {"x\x1b[31", "x"},
      {"x\x1b]0;no end", "x"},
      {"bell\x07 stays", "bell\x07 stays"},
  };
  for (const auto& [written, plain] : rows) EXPECT_EQ(plain_text(written), plain) << written;
  EXPECT_EQ(plain_text(std::string(30000, '\x1b')).size(), 0U);
}

}  // namespace
}  // namespace codex
