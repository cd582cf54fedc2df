#include "agent/text/quantity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace codex {
namespace {

TEST(Quantity, DecimalsAreJustSoMany) {
  EXPECT_EQ(decimal_text(3.424, 2), "3.42");
  EXPECT_EQ(decimal_text(60, 0), "60");
  EXPECT_EQ(decimal_text(std::numeric_limits<double>::max(), 2).size(), 63U);
}

TEST(Quantity, DurationsReadNaturally) {
  EXPECT_EQ(in_words(std::chrono::milliseconds(300)), "300 ms");
  EXPECT_EQ(in_words(std::chrono::seconds(5)), "5 s");
  EXPECT_EQ(in_words(std::chrono::milliseconds(1500)), "1.5 s");
}

TEST(Quantity, LatenciesChangeTheirUnitAtASecond) {
  EXPECT_EQ(latency_text(0), "0.0 ms");
  EXPECT_EQ(latency_text(0.0034), "3.4 ms");
  EXPECT_EQ(latency_text(1), "1.00 s");
  EXPECT_EQ(latency_text(3.424), "3.42 s");
  EXPECT_EQ(latency_text(-1), "?");
  EXPECT_EQ(latency_text(std::nan("")), "?");
}

TEST(Quantity, ANounFollowsItsCount) {
  EXPECT_EQ(count_text(1, "failure"), "1 failure");
  EXPECT_EQ(count_text(0, "failure"), "0 failures");
}

}  // namespace
}  // namespace codex
