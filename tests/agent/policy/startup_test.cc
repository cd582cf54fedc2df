#include "agent/policy/startup.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::milliseconds;

const TimePoint kBegin{std::chrono::seconds(5)};
const std::vector<StartupPhase> kAll{StartupPhase::kSpawn, StartupPhase::kListen, StartupPhase::kDatabase,
                                     StartupPhase::kRespond};

TEST(Startup, PhasesAreConsecutiveAndSumToTheTotal) {
  Startup startup(kBegin, kAll);
  startup.set(StartupPhase::kSpawn, true, kBegin + milliseconds(2));
  startup.set(StartupPhase::kListen, true, kBegin + milliseconds(100));
  startup.set(StartupPhase::kDatabase, true, kBegin + milliseconds(150));
  startup.set(StartupPhase::kRespond, true, kBegin + milliseconds(230));
  ASSERT_TRUE(startup.complete());
  Duration sum{0};
  for (const auto& [phase, took] : startup.phases()) sum += took;
  EXPECT_EQ(sum, milliseconds(230));
  EXPECT_EQ(startup.elapsed(), sum);
}

TEST(Startup, ADatabaseThatAnswersBeforeThePortListensCostsNothing) {
  Startup startup(kBegin, kAll);
  startup.set(StartupPhase::kDatabase, true, kBegin + milliseconds(1));
  startup.set(StartupPhase::kSpawn, true, kBegin + milliseconds(2));
  startup.set(StartupPhase::kListen, true, kBegin + milliseconds(50));
  const auto phases = startup.phases();
  ASSERT_EQ(phases.size(), 3U);
  EXPECT_EQ(phases[2].second, Duration{0});
  EXPECT_EQ(startup.waiting_for(), StartupPhase::kRespond);
}

TEST(Startup, PhasesThatWereNotReachedAreAbsent) {
  Startup startup(kBegin, kAll);
  startup.set(StartupPhase::kSpawn, true, kBegin + milliseconds(2));
  EXPECT_EQ(startup.phases().size(), 1U);
  EXPECT_EQ(startup.waiting_for(), StartupPhase::kListen);
  EXPECT_FALSE(startup.complete());
}

TEST(Startup, AConditionThatIsUndoneHoldsTheStartBack) {
  Startup startup(kBegin, {StartupPhase::kSpawn, StartupPhase::kListen});
  startup.set(StartupPhase::kSpawn, true, kBegin);
  startup.set(StartupPhase::kListen, true, kBegin + milliseconds(5));
  startup.set(StartupPhase::kListen, false, kBegin + milliseconds(6));
  EXPECT_FALSE(startup.complete());
  EXPECT_EQ(startup.waiting_for(), StartupPhase::kListen);
}

TEST(Startup, ABackendWithoutPortAndDatabaseNeedsOnlyToBeSpawned) {
  Startup startup(kBegin, {StartupPhase::kSpawn});
  startup.set(StartupPhase::kListen, true, kBegin);
  EXPECT_FALSE(startup.complete());
  startup.set(StartupPhase::kSpawn, true, kBegin);
  EXPECT_TRUE(startup.complete());
}

}  // namespace
}  // namespace codex
