#include "agent/supervision/prober.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/support/loop_fixture.h"

namespace codex {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using Told = std::vector<std::string>;

/// Tells what it is asked to do; the test answers.
class FakeProbe : public Probe {
 public:
  FakeProbe(std::string name, Told& told) : name_(std::move(name)), told_(told) {}
  void start(TimePoint deadline, Done done) override {
    EXPECT_FALSE(done_) << name_ << " is under way";
    told_.push_back("start " + name_);
    deadline_ = deadline;
    done_ = std::move(done);
    ++attempts_;
  }
  void cancel() override {
    told_.push_back("cancel " + name_);
    done_ = nullptr;
  }
  void answer(Outcome outcome) {
    ProbeResult result;
    result.outcome = outcome;
    if (outcome == Outcome::kFailure) result.reason = Reason::kTimeout;
    std::exchange(done_, nullptr)(result);
  }
  [[nodiscard]] bool under_way() const { return done_ != nullptr; }
  [[nodiscard]] int attempts() const { return attempts_; }
  [[nodiscard]] TimePoint deadline() const { return deadline_; }

 private:
  std::string name_;
  Told& told_;
  Done done_;
  TimePoint deadline_{};
  int attempts_ = 0;
};

/// Each probe comes round again after hours or at once, so that no test waits: when exactly is for the tests of
/// ProbeSchedule.
class ProberOfFakes : public LoopFixture {
 protected:
  static ProbeSpec spec_of(std::string name, ProbeKind kind, Duration period = hours(1)) {
    ProbeSpec spec;
    spec.name = std::move(name);
    spec.kind = kind;
    spec.own_listener = kind == ProbeKind::kHttp;
    spec.period = period;
    spec.timeout = seconds(7);
    spec.failure_threshold = 1;
    return spec;
  }

  Prober& make(const std::vector<ProbeSpec>& specs) {
    prober_.emplace(
        loop_, specs,
        [this](const ProbeSpec& spec) {
          auto probe = std::make_unique<FakeProbe>(spec.name, told_);
          probes_.push_back(probe.get());
          return probe;
        },
        Prober::Events{[this](std::size_t index) { told_.push_back("asked " + std::to_string(index)); },
                       [this](std::size_t index) {
                         told_.push_back("answered " + std::to_string(index) + " " +
                                         std::string(to_string(tracker(index).last_outcome())));
                       }});
    return *prober_;
  }

  /// A prober whose start is complete, with all its probes under way.
  Prober& make_asking(const std::vector<ProbeSpec>& specs) {
    auto& prober = make(specs);
    prober.begin_generation();
    prober.begin_readiness();
    do_what_is_due();
    prober.begin_running();
    told_.clear();
    return prober;
  }

  /// Afterwards all has been done that is due now.
  void do_what_is_due() {
    bool done = false;
    Timer last(
        loop_, "last", [&done] { done = true; }, Priority::kLow, milliseconds(5));
    last.arm_at(Clock::now());
    ASSERT_TRUE(turn_until([&done] { return done; }));
  }

  [[nodiscard]] const ProbeTracker& tracker(std::size_t index) const { return prober_->trackers()[index]; }

  Told told_;
  std::vector<FakeProbe*> probes_;
  std::optional<Prober> prober_;
};

TEST_F(ProberOfFakes, AsksNothingUntilAStartBegins) {
  make({spec_of("db", ProbeKind::kDatabase), spec_of("http", ProbeKind::kHttp)});
  do_what_is_due();
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(probes_.size(), 2U);
  EXPECT_EQ(tracker(1).spec().name, "http");
}

TEST_F(ProberOfFakes, TellsOfEveryAttemptBeforeItBeginsAndAfterItWasRecorded) {
  auto& prober = make({spec_of("http", ProbeKind::kHttp), spec_of("db", ProbeKind::kDatabase)});
  prober.begin_generation();
  do_what_is_due();
  EXPECT_THAT(std::exchange(told_, {}), ElementsAre("asked 1", "start db"))
      << "a database at once, nothing else";
  probes_[1]->answer(Outcome::kSuccess);
  EXPECT_THAT(std::exchange(told_, {}), ElementsAre("answered 1 success"));
  EXPECT_TRUE(tracker(1).succeeding());
  EXPECT_FALSE(tracker(0).succeeding());

  prober.begin_readiness();
  prober.begin_readiness();
  ASSERT_TRUE(turn_until([&] { return probes_[0]->under_way(); }));
  EXPECT_THAT(told_, ElementsAre("asked 0", "start http"));
  probes_[0]->answer(Outcome::kFailure);
  EXPECT_EQ(told_.back(), "answered 0 failure");
  EXPECT_TRUE(tracker(0).failing());
}

TEST_F(ProberOfFakes, AnAttemptHasItsTimeoutFromWhenItBegins) {
  auto& prober = make({spec_of("db", ProbeKind::kDatabase)});
  const TimePoint before = Clock::now();
  prober.begin_generation();
  do_what_is_due();
  EXPECT_GE(probes_[0]->deadline(), before + seconds(7));
  EXPECT_LE(probes_[0]->deadline(), Clock::now() + seconds(7));
}

TEST_F(ProberOfFakes, AProbeNeverOverlapsItselfAndComesRoundWhenItHasAnswered) {
  auto& prober =
      make_asking({spec_of("hasty", ProbeKind::kHttp, nanoseconds(1)), spec_of("patient", ProbeKind::kHttp)});
  prober.begin_readiness();
  prober.begin_running();
  prober.ask_http_now();
  do_what_is_due();
  EXPECT_THAT(told_, IsEmpty()) << "both are being asked";
  for (int attempt = 2; attempt < 5; ++attempt) {
    probes_[0]->answer(Outcome::kSuccess);
    ASSERT_TRUE(turn_until([&] { return probes_[0]->under_way(); }));
    EXPECT_EQ(probes_[0]->attempts(), attempt);
  }
  probes_[1]->answer(Outcome::kSuccess);
  do_what_is_due();
  EXPECT_EQ(probes_[1]->attempts(), 1) << "its turn is in an hour";
}

TEST_F(ProberOfFakes, OnceItRunsItAsksByPeriodAlone) {
  auto& prober =
      make({spec_of("rare", ProbeKind::kDatabase), spec_of("often", ProbeKind::kDatabase, nanoseconds(1))});
  prober.begin_generation();
  prober.begin_running();
  do_what_is_due();
  EXPECT_EQ(probes_[0]->attempts(), 0) << "what was due at once is put off";
  EXPECT_EQ(probes_[1]->attempts(), 1);
}

TEST_F(ProberOfFakes, AsksItsOwnHttpProbesOutOfTurnAndNoDatabase) {
  auto& prober = make_asking({spec_of("http", ProbeKind::kHttp), spec_of("db", ProbeKind::kDatabase)});
  for (auto* probe : probes_) probe->answer(Outcome::kSuccess);
  told_.clear();
  prober.ask_http_now();
  do_what_is_due();
  EXPECT_THAT(told_, ElementsAre("asked 0", "start http"));
}

TEST_F(ProberOfFakes, AfterAStopNothingIsAskedOrRecorded) {
  auto& prober =
      make_asking({spec_of("slow", ProbeKind::kHttp), spec_of("hasty", ProbeKind::kHttp, nanoseconds(1))});
  probes_[1]->answer(Outcome::kSuccess);
  told_.clear();
  prober.stop();
  EXPECT_THAT(told_, ElementsAre("cancel slow")) << "the other one was not under way";
  do_what_is_due();
  prober.stop();
  EXPECT_EQ(told_.size(), 1U);
  EXPECT_EQ(tracker(0).snapshot().attempts, 0U);
  EXPECT_EQ(tracker(1).snapshot().attempts, 1U);
  EXPECT_TRUE(tracker(1).succeeding()) << "what is known stays";
}

TEST_F(ProberOfFakes, ANewStartGivesUpWhatTheLastOneAskedAndForgetsItsVerdicts) {
  auto& prober = make_asking({spec_of("db", ProbeKind::kDatabase), spec_of("http", ProbeKind::kHttp)});
  probes_[1]->answer(Outcome::kFailure);
  EXPECT_TRUE(tracker(1).failing());
  told_.clear();
  prober.begin_generation();
  EXPECT_THAT(std::exchange(told_, {}), ElementsAre("cancel db"));
  EXPECT_FALSE(tracker(1).failing());
  EXPECT_EQ(tracker(1).snapshot().attempts, 1U) << "counters go on";
  do_what_is_due();
  EXPECT_THAT(told_, ElementsAre("asked 0", "start db"));
}

TEST_F(ProberOfFakes, AnUnknownOutcomeIsToldAndCountsForNothing) {
  make_asking({spec_of("http", ProbeKind::kHttp, nanoseconds(1))});
  probes_[0]->answer(Outcome::kFailure);
  ASSERT_TRUE(turn_until([&] { return probes_[0]->under_way(); }));
  told_.clear();
  probes_[0]->answer(Outcome::kUnknown);
  EXPECT_THAT(told_, ElementsAre("answered 0 unknown"));
  EXPECT_TRUE(tracker(0).failing());
  EXPECT_EQ(tracker(0).snapshot().consecutive_failures, 1);
  EXPECT_EQ(tracker(0).snapshot().attempts, 1U);
  EXPECT_TRUE(turn_until([&] { return probes_[0]->under_way(); })) << "it is asked again";
}

TEST_F(ProberOfFakes, OneProbeIsForgivenOrAllAre) {
  auto& prober = make_asking({spec_of("a", ProbeKind::kHttp), spec_of("b", ProbeKind::kHttp)});
  const TimePoint asked = loop_.now();
  for (auto* probe : probes_) probe->answer(Outcome::kFailure);
  EXPECT_TRUE(tracker(0).threshold_began() && tracker(1).threshold_began());
  prober.forgive(1, {"slow", "answers, but late"});
  EXPECT_TRUE(tracker(0).threshold_began());
  EXPECT_FALSE(tracker(0).excuse());
  EXPECT_FALSE(tracker(1).threshold_began());
  ASSERT_TRUE(tracker(1).excuse());
  EXPECT_EQ(tracker(1).excuse()->reason, "slow");

  prober.ask_http_now();
  ASSERT_TRUE(turn_until([&] { return probes_[0]->under_way() && loop_.now() > asked; }));
  const TimePoint began = loop_.now();
  ASSERT_TRUE(turn_until([&] { return loop_.now() > began; }));
  prober.forgive_all();
  EXPECT_FALSE(tracker(0).threshold_began() || tracker(1).threshold_began());
  probes_[0]->answer(Outcome::kFailure);
  EXPECT_FALSE(tracker(0).threshold_began()) << "it had begun before";
  EXPECT_TRUE(tracker(0).failing()) << "and is shown all the same";
}

}  // namespace
}  // namespace codex
