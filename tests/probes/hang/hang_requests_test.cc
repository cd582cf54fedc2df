#include <gtest/gtest.h>

#include "tests/support/hang_looks.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::HangLooks;
using State = HangVerdict::State;

/// Looks 250 ms apart; requests wait longer and longer.
class HangRequests : public testing::Test {
 protected:
  void SetUp() override { looks.learn(); }

  /// Goes on until `oldest` has waited this long; the verdict then.
  const HangVerdict& wait(Duration longest) {
    const HangVerdict* verdict = &detector.verdict();
    for (Duration age = milliseconds(250); age <= longest; age += milliseconds(250)) {
      verdict = &looks.go(
          1,
          [&](HangObservation& seen) {
            auto view = shape;
            view.server.oldest = age;
            if (queries_wait) view.database.oldest = age;
            if (pool_silent) view.database.last_answer = age;
            if (upstream_waits) view.upstream.oldest = age;
            seen.requests = view;
            seen.http = http;
            seen.process = process;
          },
          milliseconds(250));
    }
    return *verdict;
  }

  static RequestView waiting(int requests) {
    RequestView view;
    view.outgoing_known = true;
    view.server.connections = view.server.waiting = requests;
    return view;
  }
  static ProbeFact failing(int failures) {
    ProbeFact fact;
    fact.known = true;
    fact.failures = failures;
    return fact;
  }

  HangDetector detector;
  HangLooks looks{detector};
  RequestView shape = waiting(6);
  bool queries_wait = false, pool_silent = false, upstream_waits = false;
  ProbeFact http = failing(1);
  std::optional<ProcessView> process;
};

TEST_F(HangRequests, AreSuspectAfterOneSecondAndConfirmedAfterTwoAndAHalf) {
  EXPECT_EQ(wait(milliseconds(750)).state, State::kHealthy);
  EXPECT_EQ(wait(milliseconds(1000)).state, State::kSuspect);
  EXPECT_EQ(wait(milliseconds(2250)).state, State::kSuspect);
  EXPECT_EQ(wait(milliseconds(2500)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kHandler);
}

TEST_F(HangRequests, LongPollsAreNoHangWhileTheProbeIsAnswered) {
  http = {};
  http.known = true;
  http.success_began = milliseconds(200);
  shape = waiting(2);
  EXPECT_EQ(wait(seconds(60)).state, State::kHealthy);
}

TEST_F(HangRequests, WithoutAWordOfTheProbeTheyStaySuspect) {
  http = {};
  EXPECT_EQ(wait(seconds(10)).state, State::kSuspect);
  http.known = true;
  http.in_flight_for = milliseconds(899);
  EXPECT_EQ(wait(seconds(10)).state, State::kSuspect);
  http.in_flight_for = milliseconds(900);
  EXPECT_EQ(wait(seconds(10)).state, State::kConfirmed);
}

TEST_F(HangRequests, OneAloneMayBeSlowUnlessAProbeWaitsToo) {
  shape = waiting(1);
  http = failing(2);
  EXPECT_EQ(wait(seconds(10)).state, State::kHealthy) << "the probe was answered, if badly";
  http.unanswered_for = seconds(6);
  EXPECT_EQ(wait(seconds(10)).state, State::kConfirmed);
}

TEST_F(HangRequests, AProbeThatRanIntoItsTimeLimitWaitsUntilOneIsAnswered) {
  shape = RequestView{};
  const auto probe = [&](Duration unanswered, std::optional<Duration> in_flight) {
    return looks
        .go(1,
            [&](HangObservation& seen) {
              seen.requests = shape;
              seen.http = failing(1);
              seen.http.unanswered_for = unanswered;
              seen.http.in_flight_for = in_flight;
            })
        .state;
  };
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(probe(seconds(5), std::nullopt), State::kHealthy) << "one may be slow";
  for (int i = 0; i < 20; ++i) probe(seconds(6), milliseconds(900));
  ASSERT_EQ(detector.verdict().state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kHandler);
  EXPECT_GE(detector.verdict().clock, seconds(6));
}

TEST_F(HangRequests, OurProbeAloneSaysNothingWhileTheThreadReadsAndWrites) {
  const auto answers_others = [](HangObservation& seen) {
    ++seen.main.read_calls;
    ++seen.main.write_calls;
  };
  looks.go(5, answers_others);
  for (int i = 0; i < 40; ++i) {
    looks.go(1, [&](HangObservation& seen) {
      answers_others(seen);
      seen.requests.emplace();
      seen.http = failing(9);
      seen.http.unanswered_for = seconds(9);
    });
    ASSERT_EQ(detector.verdict().state, State::kHealthy) << "others are answered, and gone when one looks";
  }
}

TEST_F(HangRequests, ThoseThatNobodyAcceptsCountAsWell) {
  shape = RequestView{};
  const auto queue = [&](int waiting, ProbeFact asked) {
    for (Duration age{0}; age <= seconds(3); age += milliseconds(250)) {
      looks.go(1, [&](HangObservation& seen) {
        seen.requests = shape;
        seen.requests->queued = {waiting, waiting, age, std::nullopt};
        seen.http = asked;
        seen.main.waits_in = WaitKind::kFutex;  // no thread to judge by
        seen.main.argument = 1;
      });
    }
    return detector.verdict().state;
  };
  EXPECT_EQ(queue(1, {}), State::kHealthy);
  EXPECT_EQ(queue(2, {}), State::kConfirmed) << "no probe has to agree";
}

TEST_F(HangRequests, AnAnswerToAnybodyClears) {
  ASSERT_EQ(wait(seconds(3)).state, State::kConfirmed);
  shape.server.last_answer = milliseconds(999);
  EXPECT_EQ(wait(seconds(3)).state, State::kHealthy);
  shape.server.last_answer = milliseconds(1000);
  EXPECT_EQ(wait(seconds(3)).state, State::kConfirmed);
}

TEST_F(HangRequests, AHandshakeIsNoAnswer) {
  shape.server.last_answer = milliseconds(10);
  http.in_flight_for = seconds(1);
  EXPECT_EQ(wait(seconds(5)).state, State::kHealthy);
  http.encrypted = true;
  EXPECT_EQ(wait(seconds(5)).state, State::kConfirmed);
}

TEST_F(HangRequests, WaitForTheDatabase) {
  queries_wait = true;
  shape.database = {10, 3, {}, std::nullopt};
  ASSERT_EQ(wait(seconds(3)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kDbWait);
}

TEST_F(HangRequests, AreTheDatabasesWhileThatAnswersNobody) {
  looks.current().database.known = true;
  looks.current().database.failures = 1;
  ASSERT_EQ(wait(seconds(3)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kDbWait) << "no query of the backend shows, and yet";
}

TEST_F(HangRequests, ADatabaseThatAnswersOthersIsNotToBlame) {
  queries_wait = true;
  shape.database = {10, 3, {}, milliseconds(100)};
  ASSERT_EQ(wait(seconds(3)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kHandler);
}

TEST_F(HangRequests, TheDatabaseIsBlamedAgainstTheProbeByFiveRequestsOnly) {
  queries_wait = true;
  http = {};
  http.known = true;
  http.success_began = milliseconds(100);
  shape = waiting(4);
  shape.database = {10, 3, {}, std::nullopt};
  EXPECT_EQ(wait(seconds(5)).state, State::kHealthy);
  shape = waiting(5);
  shape.database = {10, 3, {}, std::nullopt};
  EXPECT_EQ(wait(seconds(5)).state, State::kConfirmed);
}

TEST_F(HangRequests, AConnectionThatAlwaysWaitsIsASubscription) {
  // Nobody waits for the backend, and one connection to another server has not been answered for a minute.
  looks.go(3, [](HangObservation& seen) {
    RequestView calm;
    calm.outgoing_known = true;
    calm.upstream = {1, 1, seconds(60), std::nullopt};
    seen.requests = calm;
  });
  shape.upstream = {1, 1, {}, std::nullopt};
  upstream_waits = true;
  ASSERT_EQ(wait(seconds(3)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kHandler);
  shape.upstream = {2, 2, {}, std::nullopt};
  ASSERT_EQ(wait(seconds(4)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kUpstream);
}

TEST_F(HangRequests, WaitForAConnectionOfThePool) {
  pool_silent = true;
  shape.database = {5, 0, {}, std::nullopt};
  ASSERT_EQ(wait(seconds(3)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kPoolExhausted);
}

TEST_F(HangRequests, AreNotWaitingForThePoolWhileConnectionsAreLeft) {
  pool_silent = true;
  shape.database = {6, 0, {}, std::nullopt};
  ASSERT_EQ(wait(seconds(3)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kHandler);
}

TEST_F(HangRequests, WaitForTheThreadPoolIfAllItsThreadsSit) {
  process = ProcessView{};
  process->threads_known = true;
  process->pool_size = 4;
  process->stuck_workers = 3;
  process->workers_stuck_for = seconds(2);
  ASSERT_EQ(wait(seconds(3)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kHandler);
  process->stuck_workers = 4;
  ASSERT_EQ(wait(seconds(4)).state, State::kConfirmed);
  EXPECT_EQ(*detector.verdict().hang, HangClass::kThreadpool);
}

TEST_F(HangRequests, PatienceIsLearnedFromSlowAnswers) {
  looks.go(8, [](HangObservation& seen) {
    RequestView calm;
    calm.answered_after = seconds(2);
    seen.requests = calm;
  });
  EXPECT_EQ(wait(milliseconds(7750)).state, State::kHealthy) << "four times what is usual";
  EXPECT_EQ(wait(seconds(8)).state, State::kSuspect);
  EXPECT_EQ(wait(milliseconds(19750)).state, State::kSuspect);
  EXPECT_EQ(wait(seconds(20)).state, State::kConfirmed);
}

TEST_F(HangRequests, AreLookedAtRarelyByAnIdleBackendAndOftenWhenTheyWait) {
  looks.go(1, [](HangObservation& seen) { seen.requests = RequestView{}; });
  looks.go(1, [](HangObservation& seen) { seen.requests.reset(); });
  EXPECT_FALSE(detector.wants(looks.now() + seconds(100)).requests) << "it read nothing since";
  looks.go(1, [](HangObservation& seen) { ++seen.main.read_calls; });
  EXPECT_TRUE(detector.wants(looks.now() + seconds(1)).requests);
  EXPECT_FALSE(detector.wants(looks.now() + milliseconds(300)).requests);
  wait(milliseconds(750));
  EXPECT_TRUE(detector.wants(looks.now() + milliseconds(300)).requests);
  EXPECT_TRUE(detector.wants(looks.now() + milliseconds(300)).outgoing);
}

TEST(HangStart, IsStuckAfterFiveSecondsOfNothing) {
  HangDetector detector;
  HangLooks looks(detector);
  std::uint64_t ticks = 0;
  Duration since{0};
  const auto start = [&](std::uint64_t more_ticks, std::uint64_t more_calls) {
    since += milliseconds(500);
    return looks
        .go(
            1,
            [&](HangObservation& seen) {
              if (!seen.startup) seen.startup.emplace();
              ticks += more_ticks;
              seen.startup->cpu_ticks = ticks;
              seen.startup->io_calls += more_calls;
              seen.startup->since_start = since;
            },
            milliseconds(500))
        .state;
  };
  for (int i = 0; i < 40; ++i) ASSERT_EQ(start(40, 100), State::kHealthy) << "it works";
  for (int i = 0; i < 4; ++i) ASSERT_EQ(start(0, 0), State::kHealthy);
  EXPECT_EQ(start(0, 0), State::kSuspect) << "2.5 s";
  for (int i = 0; i < 4; ++i) ASSERT_EQ(start(1, 1), State::kSuspect) << "a timer fires now and then";
  EXPECT_EQ(start(0, 0), State::kConfirmed) << "5 s";
  EXPECT_EQ(*detector.verdict().hang, HangClass::kStartupStuck);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(start(40, 100), State::kConfirmed) << "told once a start";
}

TEST(HangStart, IsToldWhenTwoThirdsOfAShortTimeArePast) {
  const auto told_after = [](Duration limit, std::uint64_t ticks_a_look) {
    HangDetector detector;
    HangLooks looks(detector);
    for (Duration since{0}; since < seconds(60); since += milliseconds(500)) {
      const auto state = looks
                             .go(1,
                                 [&](HangObservation& seen) {
                                   if (!seen.startup) seen.startup.emplace();
                                   seen.startup->time_limit = limit;
                                   seen.startup->since_start = since;
                                   seen.startup->cpu_ticks += ticks_a_look;
                                 })
                             .state;
      if (state == State::kConfirmed) return since;
    }
    return Duration{0};
  };
  EXPECT_EQ(told_after(seconds(60), 0), seconds(5));
  EXPECT_EQ(told_after(seconds(60), 50), seconds(20)) << "uses a CPU";
  EXPECT_EQ(told_after(seconds(3), 0), seconds(2));
  EXPECT_EQ(told_after(seconds(15), 50), seconds(10));
}

TEST(HangStart, MayTakeThreeTimesAsLongAsUsual) {
  HangDetector detector;
  detector.learn_start(seconds(5));
  HangLooks looks(detector);
  const auto at = [&](Duration since) {
    return looks
        .go(1,
            [&](HangObservation& seen) {
              const auto calls = seen.startup ? seen.startup->io_calls : 0;
              seen.startup.emplace();
              seen.startup->since_start = since;
              seen.startup->io_calls = calls + 1000;
            })
        .state;
  };
  EXPECT_EQ(at(seconds(15)), State::kHealthy);
  EXPECT_EQ(at(milliseconds(15001)), State::kConfirmed);
}

}  // namespace
}  // namespace codex
