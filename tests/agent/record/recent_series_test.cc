#include "agent/record/recent_series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace codex {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr TimePoint kNow = TimePoint(hours(5));
constexpr std::size_t kLast = kRecentSlots - 1;

std::size_t known(const RecentValues& values) {
  return static_cast<std::size_t>(
      std::count_if(values.begin(), values.end(), [](float value) { return !std::isnan(value); }));
}

TEST(RecentSeries, KnowsNothingAtFirst) {
  const auto values = RecentSeries().values(kNow);
  EXPECT_EQ(values.size(), kRecentSlots);
  EXPECT_EQ(known(values), 0U);
}

TEST(RecentSeries, KeepsTheLargestValueOfTenSeconds) {
  RecentSeries series;
  series.note(2, kNow);
  series.note(3, kNow + seconds(4));
  series.note(1, kNow + seconds(10) - Duration(1));
  series.note(7, kNow + seconds(10));
  const auto values = series.values(kNow + seconds(10));
  EXPECT_EQ(values[kLast - 1], 3);
  EXPECT_EQ(values[kLast], 7);
  EXPECT_EQ(known(values), 2U);
}

TEST(RecentSeries, AValueIsForgottenAfterAnHourAndNotBefore) {
  RecentSeries series;
  series.note(4, kNow);
  EXPECT_EQ(series.values(kNow + hours(1) - Duration(1)).front(), 4);
  EXPECT_EQ(known(series.values(kNow + hours(1))), 0U);
  EXPECT_EQ(known(series.values(kNow + hours(3))), 0U);
}

TEST(RecentSeries, TimesWithoutAValueStayUnknown) {
  RecentSeries series;
  series.note(1, kNow);
  series.note(2, kNow + seconds(1800));
  auto values = series.values(kNow + seconds(1800));
  EXPECT_EQ(known(values), 2U);
  EXPECT_EQ(values[kLast - 180], 1);
  EXPECT_EQ(values[kLast], 2);
  series.note(3, kNow + hours(2));  // the same slot as the first: nothing of that may show
  values = series.values(kNow + hours(2));
  EXPECT_EQ(known(values), 1U);
  EXPECT_EQ(values[kLast], 3);
}

TEST(RecentSeries, IsFullAfterAnHour) {
  RecentSeries series;
  for (int i = 0; i < 7200; ++i) series.note(i, kNow + seconds(i));
  const auto values = series.values(kNow + seconds(7199));
  EXPECT_EQ(known(values), kRecentSlots);
  EXPECT_EQ(values.front(), 3609);
  EXPECT_EQ(values.back(), 7199);
}

TEST(RecentSeries, WhatIsNoNumberIsNotNoted) {
  RecentSeries series;
  series.note(std::numeric_limits<double>::quiet_NaN(), kNow);
  EXPECT_EQ(known(series.values(kNow)), 0U);
  series.note(1, kNow);
  series.note(std::numeric_limits<double>::quiet_NaN(), kNow);
  EXPECT_EQ(series.values(kNow).back(), 1);
}

TEST(RecentSeries, TakesLittleMemory) {
  EXPECT_LE(sizeof(RecentSeries), 1500U);
}

}  // namespace
}  // namespace codex
