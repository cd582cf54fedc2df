#include "agent/record/repeated_errors.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::milliseconds;

TEST(RepeatedErrors, AreToldAtOnceAndThenOnceInAWhileWithTheirNumber) {
  RepeatedErrors errors;
  TimePoint now = Clock::now();
  EXPECT_EQ(errors.note("a", now), 1U);
  EXPECT_EQ(errors.note("b", now), 1U) << "another one";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(errors.note("a", now), std::nullopt);
  now += RepeatedErrors::kPeriod - milliseconds(1);
  EXPECT_EQ(errors.note("a", now), std::nullopt);
  now += milliseconds(1);
  EXPECT_EQ(errors.note("a", now), 7U);
  EXPECT_EQ(errors.note("a", now + RepeatedErrors::kPeriod), 1U);
}

TEST(RepeatedErrors, ManyDifferentOnesAreNotKeptForEver) {
  RepeatedErrors errors;
  const TimePoint now = Clock::now();
  for (std::size_t i = 0; i <= RepeatedErrors::kMostKnown; ++i)
    EXPECT_EQ(errors.note(std::to_string(i), now), 1U);
  EXPECT_EQ(errors.note("0", now), 1U) << "forgotten";
}

}  // namespace
}  // namespace codex
