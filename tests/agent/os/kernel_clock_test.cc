#include "agent/os/kernel_clock.h"

#include <gtest/gtest.h>

#include <ctime>

namespace codex {
namespace {

TEST(KernelClock, ShowsWhatThatClockCounts) {
  const auto before = Clock::now().time_since_epoch();
  const auto read = read_kernel_clock(CLOCK_MONOTONIC);
  EXPECT_LE(before, read);
  EXPECT_LE(read, Clock::now().time_since_epoch());
}

TEST(KernelClock, CpuTimeGrowsByWork) {
  const auto before = read_kernel_clock(CLOCK_THREAD_CPUTIME_ID);
  while (read_kernel_clock(CLOCK_THREAD_CPUTIME_ID) - before < std::chrono::milliseconds(2)) {
  }
  EXPECT_GT(before, Duration{0});
}

}  // namespace
}  // namespace codex
