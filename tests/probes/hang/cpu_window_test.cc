#include "probes/hang/cpu_window.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::milliseconds;

/// Readings every 100 ms of somebody who uses `share` of a CPU.
class Window : public ::testing::Test {
 protected:
  void use(double share, int readings = 1) {
    for (int i = 0; i < readings; ++i) {
      now_ += milliseconds(100);
      nanos_ += static_cast<std::uint64_t>(share * 1e8);
      window_.add(now_, nanos_);
    }
  }

  CpuWindow window_{milliseconds(1000)};
  TimePoint now_{milliseconds(50'000)};
  std::uint64_t nanos_ = 7'000'000'000;
};

TEST_F(Window, NothingIsKnownBeforeTheSecondReading) {
  EXPECT_EQ(window_.ratio(), 0);
  EXPECT_EQ(window_.span(), Duration{0});
  use(1);
  EXPECT_EQ(window_.ratio(), 0);
  EXPECT_EQ(window_.span(), Duration{0});
  use(0.5);
  EXPECT_DOUBLE_EQ(window_.ratio(), 0.5);
  EXPECT_EQ(window_.span(), milliseconds(100));
}

TEST_F(Window, WhatIsOlderIsForgotten) {
  use(1, 10);
  use(0.25, 10);
  EXPECT_EQ(window_.span(), milliseconds(1000));
  EXPECT_DOUBLE_EQ(window_.ratio(), 0.25);
}

TEST_F(Window, AShorterSpanIsTheLatestOne) {
  use(0, 8);
  use(1, 2);
  EXPECT_DOUBLE_EQ(window_.ratio(milliseconds(200)), 1);
  EXPECT_DOUBLE_EQ(window_.ratio(milliseconds(150)), 1) << "rather more than too little";
  EXPECT_DOUBLE_EQ(window_.ratio(milliseconds(400)), 0.5);
}

TEST_F(Window, SeldomReadingsAreComparedAllTheSame) {
  use(1);
  now_ += milliseconds(4900);
  use(1);
  EXPECT_EQ(window_.span(), milliseconds(5000));
  EXPECT_DOUBLE_EQ(window_.ratio(), 0.02);
}

TEST_F(Window, ACounterThatGoesBackTellsNothing) {
  use(1, 3);
  nanos_ = 0;
  use(1);
  EXPECT_EQ(window_.ratio(), 0);
}

TEST_F(Window, ClearedItKnowsNothing) {
  use(1, 3);
  window_.clear();
  EXPECT_EQ(window_.ratio(), 0);
  EXPECT_EQ(window_.span(), Duration{0});
}

}  // namespace
}  // namespace codex
