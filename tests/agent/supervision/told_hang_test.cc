#include <set>
#include <tuple>

#include "tests/agent/supervision/hang_response_fixture.h"

/// What is told of a hang.

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::suspicion;
using testing::verdict;

class ToldHang : public testing::HangResponseFixture {};

TEST_F(ToldHang, ASuspicionThatClearsIsNobodysHang) {
  run();
  response_.half_way(suspicion());
  answer(0, "", "");
  response_.over(suspicion(), seconds(1));
  EXPECT_EQ(forgiven_, 0);
  EXPECT_EQ(changed_, 0);
  EXPECT_FALSE(response_.hang());
  EXPECT_FALSE(shown().hang);
  EXPECT_FALSE(shown().last_hang);
  EXPECT_EQ(recorded().hang_duration.sum(), 0);
}

TEST_F(ToldHang, AHangThatEndsIsForgivenRecordedAndRemembered) {
  run();
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  response_.over(verdict(HangClass::kSpin, seconds(3)), milliseconds(3500));
  EXPECT_EQ(forgiven_, 1);
  EXPECT_EQ(changed_, 2);
  EXPECT_FALSE(response_.hang());
  EXPECT_FALSE(shown().hang);
  const auto last = shown().last_hang;
  ASSERT_TRUE(last);
  EXPECT_EQ(last->hang_class, "spin");
  EXPECT_EQ(last->since, schedule_.wall_now() - seconds(1));
  EXPECT_EQ(last->lasted_seconds, 3.5);
  EXPECT_EQ(last->action, "");
  EXPECT_FALSE(last->due);
  EXPECT_FALSE(last->due_in_seconds);
  EXPECT_EQ(recorded().hang_duration.sum(), 3.5);
  response_.over(verdict(HangClass::kSpin, seconds(3)), seconds(9));
  EXPECT_EQ(forgiven_, 1) << "once";
}

TEST_F(ToldHang, WhileItLastsTheSnapshotCountsUpAndDown) {
  run();
  auto seen = verdict(HangClass::kSpin, seconds(2), "password opensesame\n");
  seen.since = schedule_.now() - milliseconds(2500);
  response_.confirmed(seen);
  const WallTime confirmed_at = schedule_.wall_now();
  EXPECT_EQ(shown().hang->detail, redactor_.safe("password opensesame\n"));
  EXPECT_EQ(shown().hang->detail.find("opensesame"), std::string::npos);
  EXPECT_EQ(shown().hang->action, "restart");
  const std::tuple<Duration, double, double> moments[] = {{Duration{0}, 2, 3},
                                                          {milliseconds(2999), 4.999, 0.001},
                                                          {milliseconds(1), 5, 0},
                                                          {milliseconds(1), 5.001, 0}};
  for (const auto& [pass, lasted, due_in] : moments) {
    schedule_.pass(pass);
    const auto hang = shown().hang;
    ASSERT_TRUE(hang);
    EXPECT_EQ(hang->since, confirmed_at - seconds(2));
    EXPECT_EQ(hang->due, confirmed_at + seconds(3));
    EXPECT_NEAR(hang->lasted_seconds, lasted, 1e-6);
    EXPECT_NEAR(*hang->due_in_seconds, due_in, 1e-6) << "not below 0";
  }
  EXPECT_FALSE(shown().last_hang);
  EXPECT_EQ(recorded().hangs.at("spin"), 1U);
  EXPECT_EQ(recorded().hang_detection_delay.sum(), 2.5);
}

TEST_F(ToldHang, OnlyWhatWillBeDoneIsDue) {
  run();
  response_.confirmed(verdict(HangClass::kDbWait, seconds(1)));
  EXPECT_EQ(shown().hang->action, "report");
  EXPECT_FALSE(shown().hang->due);
  EXPECT_FALSE(shown().hang->due_in_seconds);
  response_.confirmed(verdict(HangClass::kSpin, seconds(9)));
  EXPECT_EQ(shown().hang->due, schedule_.wall_now()) << "its time is up, and no longer than that";
}

TEST_F(ToldHang, AStartPromisesNothing) {
  give(EventType::kStart);
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  EXPECT_EQ(shown().hang->action, "");
  EXPECT_FALSE(shown().hang->due);
}

TEST_F(ToldHang, AnotherClassIsTheSameHangWithAnotherName) {
  run();
  response_.confirmed(verdict(HangClass::kSpin, seconds(1)));
  const WallTime since = shown().hang->since;
  answer(0, "first", "slow (server.js:12)");
  schedule_.pass(seconds(1));
  response_.confirmed(verdict(HangClass::kDbWait, milliseconds(1500), "waits for 127.0.0.1:5432"));
  const auto hang = shown().hang;
  EXPECT_EQ(hang->hang_class, "db_wait");
  EXPECT_EQ(hang->detail, "waits for 127.0.0.1:5432");
  EXPECT_EQ(hang->since, since);
  EXPECT_EQ(hang->where, "slow (server.js:12)");
  EXPECT_EQ(hang->evidence, "first");
  EXPECT_FALSE(hang->due) << "nothing will be done about this one";
  EXPECT_EQ(recorded().hangs.at("spin"), 1U);
  EXPECT_EQ(recorded().hangs.at("db_wait"), 0U) << "one hang, counted once";
}

TEST_F(ToldHang, HelplessIsWhatNoRestartBringsBack) {
  run();
  const std::set<HangClass> helpless = {HangClass::kDbWait, HangClass::kDiskWait, HangClass::kUpstream,
                                        HangClass::kStarved, HangClass::kPaused};
  for (const HangClass hang : kHangClasses) {
    response_.confirmed(verdict(hang, seconds(1), "why"));
    const auto told = response_.hang();
    ASSERT_TRUE(told);
    EXPECT_EQ(told->hang_class, to_string(hang));
    EXPECT_EQ(told->detail, "why");
    EXPECT_EQ(told->helpless, helpless.contains(hang)) << told->hang_class;
  }
}

}  // namespace
}  // namespace codex
