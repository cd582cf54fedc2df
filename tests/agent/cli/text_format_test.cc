#include "agent/cli/text_format.h"

#include <gtest/gtest.h>

#include <limits>

namespace codex {
namespace {

TEST(TextFormat, UptimeShowsTheTwoLargestUnits) {
  EXPECT_EQ(format_uptime(0), "0s");
  EXPECT_EQ(format_uptime(59.9), "59s");
  EXPECT_EQ(format_uptime(60), "1m 0s");
  EXPECT_EQ(format_uptime(3599), "59m 59s");
  EXPECT_EQ(format_uptime(3600), "1h 0m");
  EXPECT_EQ(format_uptime(2 * 3600 + 13 * 60 + 5), "2h 13m");
  EXPECT_EQ(format_uptime(86400 * 3 + 4 * 3600), "3d 4h");
  EXPECT_EQ(format_uptime(std::numeric_limits<double>::infinity()), "?");
}

TEST(TextFormat, BytesKeepTwoOrThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(112LL * 1024 * 1024), "112 MiB");
  EXPECT_EQ(format_bytes(1024LL * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::int64_t>::max()), "8388608 TiB");
  EXPECT_EQ(format_bytes(-1), "?");
}

TEST(TextFormat, TimesThatAreNotRfc3339AreShownAsTheyAre) {
  EXPECT_EQ(format_local_time(""), "");
  EXPECT_EQ(format_local_time("yesterday"), "yesterday");
  EXPECT_EQ(format_local_time("2026-13-45T99:99:99Z"), "2026-13-45T99:99:99Z");
}

TEST(TextFormat, UtcIsShownAsLocalTimeWithoutFractions) {
  ::setenv("TZ", "UTC-2", 1);  // POSIX: two hours east of Greenwich
  ::tzset();
  EXPECT_EQ(format_local_time("2026-11-23T12:03:04.123Z"), "2026-11-23 14:03:04");
  ::unsetenv("TZ");
  ::tzset();
}

TEST(TextFormat, WidthCountsCharactersNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("é…✓"), 3U);
  EXPECT_EQ(display_width("✅ ok"), 5U);
}

TEST(TextFormat, LinesAreCutOnACharacterBorder) {
  EXPECT_EQ(fit_columns("codex ✓ …", 7), "codex ✓");
  EXPECT_EQ(fit_columns("codex ✓ …", 6), "codex ");
  EXPECT_EQ(fit_columns("✅", 1), "");
  EXPECT_EQ(fit_columns("short", 80), "short");
  EXPECT_EQ(fit_columns("x", 0), "");
}

}  // namespace
}  // namespace codex
