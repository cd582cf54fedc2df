#include "agent/cli/argument_values.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ArgumentValues, TimeLimitsAreSecondsOrHaveAUnit) {
  EXPECT_EQ(parse_time_limit("90"), seconds(90));
  EXPECT_EQ(parse_time_limit("0.5"), milliseconds(500));
  EXPECT_EQ(parse_time_limit("500ms"), milliseconds(500));
  EXPECT_EQ(parse_time_limit("5s"), seconds(5));
  EXPECT_EQ(parse_time_limit("2m"), seconds(120));
  EXPECT_EQ(parse_time_limit("24h"), seconds(86400));
}

TEST(ArgumentValues, TimeLimitsOutsideOfTheRangeAreRefused) {
  EXPECT_EQ(parse_time_limit("0"), std::nullopt);
  EXPECT_EQ(parse_time_limit("0.5ms"), std::nullopt);
  EXPECT_EQ(parse_time_limit("1ms"), milliseconds(1));
  EXPECT_EQ(parse_time_limit("86401"), std::nullopt);
  EXPECT_EQ(parse_time_limit("25h"), std::nullopt);
}

TEST(ArgumentValues, WhatIsNotATimeLimitIsRefused) {
  for (const char* text : {"", "s", "-5", "+5", "5x", "5 s", " 5", "nan", "inf", "1e3", "0x10", "010", "5s5"})
    EXPECT_EQ(parse_time_limit(text), std::nullopt) << text;
  EXPECT_EQ(parse_time_limit(std::string(30'000, '9')), std::nullopt);
}

TEST(ArgumentValues, LineCountsAreDecimalAndBounded) {
  EXPECT_EQ(parse_line_count("0"), 0U);
  EXPECT_EQ(parse_line_count("50"), 50U);
  EXPECT_EQ(parse_line_count("1000000"), 1'000'000U);
  for (const char* text : {"", "1000001", "010", "-1", "1.5", "ten", "5 "})
    EXPECT_EQ(parse_line_count(text), std::nullopt) << text;
  EXPECT_EQ(parse_line_count(std::string(30'000, '1')), std::nullopt);
}

}  // namespace
}  // namespace codex
