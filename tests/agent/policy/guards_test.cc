#include <gtest/gtest.h>

#include "agent/os/kernel_counters.h"
#include "agent/policy/memory_guard.h"
#include "agent/policy/reconnect_guard.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1 << 20;

TEST(MemoryGuard, IsPatientForFiveSecondsThenSpeaksOnce) {
  MemoryGuard guard(100 * kMiB);
  const TimePoint start{seconds(1000)};
  EXPECT_FALSE(guard.exceeded(100 * kMiB, start)) << "the limit itself is allowed";
  EXPECT_FALSE(guard.exceeded(100 * kMiB + 1, start));
  EXPECT_FALSE(guard.exceeded(200 * kMiB, start + milliseconds(4999)));
  EXPECT_TRUE(guard.exceeded(200 * kMiB, start + seconds(5)));
  EXPECT_FALSE(guard.exceeded(200 * kMiB, start + seconds(60)));
}

TEST(MemoryGuard, APeakIsForgiven) {
  MemoryGuard guard(100 * kMiB);
  const TimePoint start{seconds(1000)};
  EXPECT_FALSE(guard.exceeded(150 * kMiB, start));
  EXPECT_FALSE(guard.exceeded(99 * kMiB, start + seconds(4)));
  EXPECT_FALSE(guard.exceeded(150 * kMiB, start + seconds(5)));
  EXPECT_TRUE(guard.exceeded(150 * kMiB, start + seconds(10)));
}

TEST(MemoryGuard, SpeaksAgainOnlyAfterItHasBeenWellBelow) {
  MemoryGuard guard(100 * kMiB);
  TimePoint now{seconds(1000)};
  const auto stays_above = [&] {
    guard.exceeded(150 * kMiB, now);
    now += seconds(6);
    return guard.exceeded(150 * kMiB, now);
  };
  EXPECT_TRUE(stays_above());
  guard.exceeded(95 * kMiB, now += seconds(1));
  EXPECT_FALSE(stays_above());
  guard.exceeded(89 * kMiB, now += seconds(1));
  EXPECT_TRUE(stays_above());
}

TEST(MemoryGuard, WithoutALimitIsSilent) {
  MemoryGuard guard(std::nullopt);
  EXPECT_FALSE(guard.exceeded(~std::uint64_t{0}, TimePoint{seconds(1)}));
  EXPECT_FALSE(guard.exceeded(~std::uint64_t{0}, TimePoint{seconds(100)}));
}

TEST(ReconnectGuard, AsksForOneRestartAfterAnOutage) {
  ReconnectGuard watch(seconds(10));
  const TimePoint back{seconds(1000)};
  EXPECT_FALSE(watch.due(false, false, back - seconds(100))) << "no outage, none of its business";
  EXPECT_FALSE(watch.due(true, false, back - seconds(50)));
  EXPECT_FALSE(watch.due(false, false, back));
  EXPECT_FALSE(watch.due(false, false, back + milliseconds(9999)));
  EXPECT_TRUE(watch.due(false, false, back + seconds(10)));
  EXPECT_FALSE(watch.due(false, false, back + seconds(60)));
}

TEST(ReconnectGuard, LeavesABackendAloneThatHasReconnected) {
  ReconnectGuard watch(seconds(10));
  watch.due(true, false, TimePoint{seconds(1)});
  watch.due(false, false, TimePoint{seconds(2)});
  EXPECT_FALSE(watch.due(false, true, TimePoint{seconds(12)}));
  EXPECT_FALSE(watch.due(false, false, TimePoint{seconds(13)})) << "what fails later has another cause";
}

TEST(ReconnectGuard, CountsFromTheEndOfTheLastOutage) {
  ReconnectGuard watch(seconds(10));
  watch.due(true, false, TimePoint{seconds(1)});
  watch.due(false, false, TimePoint{seconds(2)});
  watch.due(true, false, TimePoint{seconds(8)});
  watch.due(false, false, TimePoint{seconds(9)});
  EXPECT_FALSE(watch.due(false, false, TimePoint{seconds(13)}));
  EXPECT_TRUE(watch.due(false, false, TimePoint{seconds(19)}));
}

TEST(ReconnectGuard, IsOffByDefault) {
  ReconnectGuard watch(Duration{0});
  watch.due(true, false, TimePoint{seconds(1)});
  EXPECT_FALSE(watch.due(false, false, TimePoint{seconds(1000)}));
}

TEST(KernelCounters, FindsWholeNamesOnly) {
  EXPECT_EQ(parse_vmstat("oom_kill_x 4\nnr_free 7\noom_kill 12\n", "oom_kill"), 12U);
  EXPECT_EQ(parse_vmstat("oom_kill 12", "oom_kill"), 12U);
  EXPECT_EQ(parse_vmstat("", "oom_kill"), 0U);
  EXPECT_EQ(parse_vmstat("oom_kill", "oom_kill"), 0U);
}

}  // namespace
}  // namespace codex
