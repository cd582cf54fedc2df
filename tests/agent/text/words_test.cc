#include "agent/text/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace codex {
namespace {

using ::testing::ElementsAre;

TEST(Words, OnlyCapitalsOfAsciiBecomeSmall) {
  EXPECT_EQ(to_lower("Content-LENGTH: 5 @[Ä"), "content-length: 5 @[Ä");
  EXPECT_EQ(to_lower(""), "");
}

TEST(Words, BlanksGoAtBothEndsAlone) {
  EXPECT_EQ(trim(" \ta b\t ", " \t"), "a b");
  EXPECT_EQ(trim("\ta", " "), "\ta");
  EXPECT_EQ(trim(" \t", " \t"), "");
  EXPECT_EQ(trim("", " "), "");
}

TEST(Words, EveryPieceBetweenSeparatorsCounts) {
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("a", ','), ElementsAre("a"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
}

}  // namespace
}  // namespace codex
