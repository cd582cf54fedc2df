#include "probes/hang/hang_course.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <tuple>

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = HangVerdict::State;

constexpr TimePoint kBegin{std::chrono::hours(3)};
constexpr Duration kStep = milliseconds(500);
constexpr int kRecoverySteps = static_cast<int>(HangCourse::kRecovery / kStep);

/// Each source names a class of its own, so that a verdict tells whose it is.
struct Source {
  HangSource source;
  HangClass hang;
};
constexpr std::array<Source, 3> kSources{{{HangSource::kLoop, HangClass::kSpin},
                                          {HangSource::kDescriptors, HangClass::kFdExhausted},
                                          {HangSource::kRequests, HangClass::kHandler}}};
using Said = std::array<State, 3>;
constexpr State kNothing = State::kHealthy;
constexpr Said kSilence{kNothing, kNothing, kNothing};

std::vector<HangFinding> findings(const Said& said, TimePoint now, Duration clock = milliseconds(700)) {
  std::vector<HangFinding> all;
  for (std::size_t i = 0; i < said.size(); ++i)
    all.push_back({kSources[i].source, said[i], kSources[i].hang, "why", now - clock, clock});
  return all;
}

std::vector<Said> everything_that_can_be_said() {
  std::vector<Said> all;
  for (const auto a : {State::kHealthy, State::kSuspect, State::kConfirmed})
    for (const auto b : {State::kHealthy, State::kSuspect, State::kConfirmed})
      for (const auto c : {State::kHealthy, State::kSuspect, State::kConfirmed}) all.push_back({a, b, c});
  return all;
}

/// A course, and how many steps ago each source was last heard: enough to say what has to hold.
struct Situation {
  HangCourse course;
  std::array<int, 3> silent{kRecoverySteps, kRecoverySteps, kRecoverySteps};
  TimePoint now = kBegin;

  /// What makes a difference for the future.
  [[nodiscard]] auto key() const {
    const auto& verdict = course.verdict();
    return std::tuple(verdict.state, verdict.hang, silent);
  }
};

Situation after(const Situation& before, const Said& said) {
  Situation next = before;
  next.now += kStep;
  for (std::size_t i = 0; i < said.size(); ++i)
    next.silent[i] = said[i] == State::kHealthy ? std::min(next.silent[i] + 1, kRecoverySteps) : 0;
  next.course.observe(next.now, kStep, findings(said, next.now));
  return next;
}

std::size_t rank(HangClass hang) {
  std::size_t at = 0;
  while (kSources[at].hang != hang) ++at;
  return at;
}

void expect_what_must_hold(const Situation& before, const Said& said, const Situation& now) {
  const auto &was = before.course.verdict(), &is = now.course.verdict();
  const bool all_silent = *std::min_element(now.silent.begin(), now.silent.end()) >= kRecoverySteps;
  const bool confirms = std::find(said.begin(), said.end(), State::kConfirmed) != said.end();
  const bool speaks = std::any_of(said.begin(), said.end(), [](State s) { return s != State::kHealthy; });
  EXPECT_TRUE(!confirms || is.state == State::kConfirmed) << "what is sure is told";
  EXPECT_TRUE(!speaks || is.state != State::kHealthy);
  EXPECT_TRUE(!all_silent || is.state == State::kHealthy) << "silence of two seconds is the end";
  if (was.state == State::kConfirmed && !all_silent) {
    ASSERT_EQ(is.state, State::kConfirmed) << "one look is no recovery";
    EXPECT_EQ(is.since, was.since) << "one hang has one beginning";
    EXPECT_GE(is.clock, was.clock) << "its clock does not go back";
    if (is.hang != was.hang) {
      const std::size_t from = rank(*was.hang), to = rank(*is.hang);
      EXPECT_EQ(said[to], State::kConfirmed) << "a class is only taken from who is sure";
      for (std::size_t i = 0; to > from && i <= from; ++i)
        EXPECT_GE(now.silent[i], kRecoverySteps) << "a weaker source overrides none that spoke lately";
    }
    for (std::size_t i = 0; i < rank(*was.hang); ++i) {
      EXPECT_TRUE(said[i] != State::kConfirmed || rank(*is.hang) <= i) << "a stronger one has the word";
    }
  }
  if (was.state == State::kConfirmed || is.state != State::kConfirmed) return;
  for (std::size_t i = 0; i < rank(*is.hang); ++i)
    EXPECT_NE(said[i], State::kConfirmed) << "the strongest of the sure ones names it";
}

TEST(HangCourse, InEveryOrderOfWhatThreeSourcesSayOneHangIsOneHang) {
  const auto all = everything_that_can_be_said();
  std::deque<Situation> open{Situation{}};
  std::set<decltype(Situation{}.key())> seen{open.front().key()};
  std::map<State, int> reached;
  while (!open.empty()) {
    const Situation before = open.front();
    open.pop_front();
    ++reached[before.course.verdict().state];
    for (const auto& said : all) {
      const Situation now = after(before, said);
      expect_what_must_hold(before, said, now);
      if (::testing::Test::HasFailure()) return;
      if (seen.insert(now.key()).second) open.push_back(now);
    }
  }
  EXPECT_GT(reached[State::kConfirmed], 100);
  EXPECT_GT(reached[State::kSuspect], 10);
  EXPECT_EQ(reached[State::kHealthy], 1) << "whatever has been is forgotten";
}

TEST(HangCourse, ASuspicionHasTheTimesOfItsNewestEvidence) {
  HangCourse course;
  course.observe(kBegin, kStep,
                 findings(Said{State::kSuspect, kNothing, kNothing}, kBegin, milliseconds(300)));
  EXPECT_EQ(course.verdict().clock, milliseconds(300));
  course.observe(kBegin + kStep, kStep, findings(kSilence, kBegin));
  EXPECT_EQ(course.verdict().state, State::kSuspect);
  const TimePoint again = kBegin + 2 * kStep;
  course.observe(again, kStep, findings(Said{State::kSuspect, kNothing, kNothing}, again, milliseconds(250)));
  EXPECT_EQ(course.verdict().clock, milliseconds(250)) << "what has cleared is not added up";
  EXPECT_EQ(course.verdict().since, again - milliseconds(250));
}

TEST(HangCourse, TheClockGoesOnWhileNobodySpeaksAndTheHangIsNotOver) {
  HangCourse course;
  course.observe(kBegin, kStep, findings(Said{kNothing, kNothing, State::kConfirmed}, kBegin, seconds(3)));
  for (int i = 1; i < kRecoverySteps; ++i)
    course.observe(kBegin + i * kStep, kStep, findings(kSilence, kBegin));
  EXPECT_EQ(course.verdict().clock, seconds(3) + (kRecoverySteps - 1) * kStep);
}

TEST(HangCourse, TheLoopsClockIsTheHangsAndANewBlockGoesOnFromThere) {
  HangCourse course;
  const auto loop = [&](int step, TimePoint since, Duration clock) {
    std::vector<HangFinding> said{
        {HangSource::kLoop, State::kConfirmed, HangClass::kSpin, "why", since, clock}};
    return course.observe(kBegin + step * kStep, kStep, said).clock;
  };
  EXPECT_EQ(loop(0, kBegin - seconds(1), milliseconds(800)), milliseconds(800));
  EXPECT_EQ(loop(1, kBegin - seconds(1), milliseconds(850)), milliseconds(850)) << "of 500 it got 50";
  EXPECT_EQ(loop(2, kBegin - seconds(1), milliseconds(400)), milliseconds(850)) << "never back";
  EXPECT_EQ(loop(3, kBegin + kStep, milliseconds(100)), milliseconds(850))
      << "what has passed is not added twice";
  EXPECT_EQ(loop(4, kBegin + kStep, milliseconds(300)), milliseconds(1050));
}

TEST(HangCourse, AStartThatStoodStillIsOneUntilItIsForgotten) {
  HangCourse course;
  const HangFinding stuck{HangSource::kStart, State::kConfirmed, HangClass::kStartupStuck, "why", kBegin,
                          seconds(5)};
  course.observe(kBegin, kStep, {stuck}, true);
  for (int i = 1; i < 50; ++i) course.observe(kBegin + i * kStep, kStep, {}, true);
  EXPECT_EQ(course.verdict().state, State::kConfirmed);
  course.forget();
  EXPECT_EQ(course.verdict().state, State::kHealthy);
}

}  // namespace
}  // namespace codex
