#include "agent/text/utf8.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(Utf8, EveryLengthIsRead) {
  EXPECT_EQ(first_utf8_character("ab").code, U'a');
  EXPECT_EQ(first_utf8_character("ä!").code, U'ä');
  EXPECT_EQ(first_utf8_character("€!").bytes, 3U);
  EXPECT_EQ(first_utf8_character("\xF4\x8F\xBF\xBF").code, char32_t{0x10FFFF});
  EXPECT_EQ(first_utf8_character(std::string_view("\0", 1)).bytes, 1U);
}

TEST(Utf8, WhatIsNoCharacterHasNoLength) {
  for (const char* text : {"\x80", "\xC0\xAF", "\xC3", "\xC3z", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80",
                           "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFF"})
    EXPECT_EQ(first_utf8_character(text).bytes, 0U) << text;
}

}  // namespace
}  // namespace codex
