#include "agent/policy/restart_budget.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::seconds;

TEST(RestartBudget, DelaysGrowFromNothingToTheCapWithTenPercentJitter) {
  RestartConfig config;
  config.start_limit = 100;
  config.max_delay = seconds(8);
  RestartBudget budget(config, 42);
  const double expected[] = {0, 1, 2, 4, 8, 8, 8};
  TimePoint now{seconds(1)};
  for (const double delay : expected) {
    const auto verdict = budget.on_failure(Duration{0}, now += seconds(61));
    EXPECT_TRUE(verdict.allowed);
    EXPECT_NEAR(to_seconds(verdict.delay), delay, delay * .1 + 1e-9);
    EXPECT_LE(verdict.delay, config.max_delay);
  }
}

TEST(RestartBudget, StableUptimeForgetsFailures) {
  RestartConfig config;
  RestartBudget budget(config, 1);
  TimePoint now{seconds(1)};
  for (int i = 0; i < 3; ++i) budget.on_failure(Duration{0}, now);
  EXPECT_EQ(budget.failures(), 3);
  EXPECT_EQ(budget.on_failure(config.stable_after, now).delay, Duration{0});
  EXPECT_EQ(budget.failures(), 1);
  EXPECT_GT(budget.on_failure(config.stable_after - Duration{1}, now).delay, Duration{0});
}

TEST(RestartBudget, StartLimitCountsAutomaticStartsInASlidingWindow) {
  RestartConfig config;
  config.start_limit = 2;
  config.start_limit_interval = seconds(60);
  RestartBudget budget(config, 1);
  const TimePoint begin{seconds(1)};
  EXPECT_TRUE(budget.on_failure(Duration{0}, begin).allowed);
  EXPECT_TRUE(budget.on_failure(Duration{0}, begin + seconds(30)).allowed);
  EXPECT_FALSE(budget.on_failure(Duration{0}, begin + seconds(59)).allowed);
  EXPECT_TRUE(budget.on_failure(Duration{0}, begin + seconds(60)).allowed)
      << "the first one has left the window";
  budget.reset();
  EXPECT_TRUE(budget.on_failure(Duration{0}, begin + seconds(61)).allowed);
}

}  // namespace
}  // namespace codex
