#include <gtest/gtest.h>

#include "tests/support/hang_looks.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::HangLooks;
using State = HangVerdict::State;

void sleep_in(HangObservation& seen, WaitKind kind, std::uint64_t argument = 0) {
  seen.main.state = 'S';
  seen.main.waits_in = kind;
  seen.main.argument = argument;
}

/// Runs and gets `share` of a CPU.
HangLooks::Change runs(double share) {
  return [share](HangObservation& seen) {
    seen.main.state = 'R';
    seen.main.waits_in = WaitKind::kNone;
    seen.main.cpu_nanos += static_cast<std::uint64_t>(share * static_cast<double>(HangLooks::kStep.count()));
    seen.accept_queue = 1;
  };
}

class HangLoop : public testing::Test {
 protected:
  void SetUp() override { looks.learn(); }
  HangDetector detector;
  HangLooks looks{detector};

  std::string confirmed_as(const HangLooks::Change& change) {
    if (!looks.until(State::kConfirmed, change)) return "nothing";
    return std::string(to_string(*detector.verdict().hang));
  }
};

TEST_F(HangLoop, ASilentIdleServerIsHealthyForEver) {
  EXPECT_EQ(looks.go(5000).state, State::kHealthy);
}

TEST_F(HangLoop, SilenceWithoutPendingWorkIsNoHang) {
  const auto blocked = [](HangObservation& seen) { sleep_in(seen, WaitKind::kFutex); };
  EXPECT_EQ(looks.go(200, blocked).state, State::kHealthy);
  EXPECT_TRUE(detector.wants(looks.now()).accept) << "then a connection of our own has to tell";
  HangDetector other;
  HangLooks fresh(other);
  fresh.learn();
  fresh.go(2, blocked);
  EXPECT_FALSE(other.wants(fresh.now()).accept) << "and not at once";
}

TEST_F(HangLoop, AnIdleLoopIsNotAskedByConnections) {
  looks.go(5);
  EXPECT_FALSE(detector.wants(looks.now()).accept);
}

TEST_F(HangLoop, SuspectsAt250AndConfirmsAt750Milliseconds) {
  const auto blocked = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kFutex);
    seen.accept_queue = 1;
  };
  EXPECT_EQ(looks.go(4, blocked).state, State::kHealthy) << "200 ms";
  EXPECT_EQ(looks.go(1, blocked).state, State::kSuspect) << "250 ms";
  EXPECT_EQ(looks.go(9, blocked).state, State::kSuspect) << "700 ms";
  EXPECT_EQ(looks.go(1, blocked).state, State::kConfirmed) << "750 ms";
}

TEST_F(HangLoop, NamesWhatTheThreadWaitsIn) {
  const auto pending = [](auto change) {
    return [change](HangObservation& seen) {
      seen.accept_queue = 1;
      seen.process = ProcessView{};
      change(seen);
    };
  };
  struct Row {
    std::string expected;
    std::function<void(HangObservation&)> change;
  };
  const Row rows[] = {
      {"futex", [](auto& seen) { sleep_in(seen, WaitKind::kFutex); }},
      {"blocked_syscall", [](auto& seen) { sleep_in(seen, WaitKind::kOther); }},
      {"blocked_syscall", [](auto& seen) { sleep_in(seen, WaitKind::kRead); }},
      {"blocked_syscall", [](auto& seen) { sleep_in(seen, WaitKind::kEpoll, 20); }},
      {"sync_child",
       [](auto& seen) {
         sleep_in(seen, WaitKind::kEpoll, 20);
         seen.process->children = 1;
       }},
      {"sync_child", [](auto& seen) { sleep_in(seen, WaitKind::kChild); }},
      {"sync_child",
       [](auto& seen) {
         sleep_in(seen, WaitKind::kChild);
         seen.main.state = 'D';
       }},
      {"disk_wait",
       [](auto& seen) {
         sleep_in(seen, WaitKind::kOther);
         seen.main.state = 'D';
       }},
      {"disk_wait",
       [](auto& seen) {
         sleep_in(seen, WaitKind::kRead);
         seen.main.wchan = "request_wait_answer";
       }},
      {"stopped",
       [](auto& seen) {
         sleep_in(seen, WaitKind::kNone);
         seen.main.state = 'T';
       }},
      {"paused",
       [](auto& seen) {
         sleep_in(seen, WaitKind::kNone);
         seen.main.state = 't';
       }},
      {"paused",
       [](auto& seen) {
         sleep_in(seen, WaitKind::kFutex);
         seen.process->debugger_connected = true;
       }},
      {"paused",
       [](auto& seen) {
         sleep_in(seen, WaitKind::kFutex);
         seen.process->tracer = 42;
       }},
      {"handler", [](auto& seen) { sleep_in(seen, WaitKind::kEpoll, HangLooks::kMainLoop); }},
  };
  for (const auto& row : rows) {
    HangDetector fresh;
    HangLooks fresh_looks(fresh);
    fresh_looks.learn();
    ASSERT_TRUE(fresh_looks.until(State::kConfirmed, pending(row.change))) << row.expected;
    EXPECT_EQ(to_string(*fresh.verdict().hang), row.expected) << fresh.verdict().why;
  }
}

TEST_F(HangLoop, ARunningThreadIsChargedOnlyTheCpuTimeItGot) {
  const auto whole = looks.until(State::kConfirmed, runs(1.0));
  EXPECT_EQ(whole, milliseconds(600));
  looks.go(1, [](HangObservation& seen) { seen.accept_probe.state = AcceptProbeView::State::kAccepted; });

  HangDetector other;
  HangLooks slow(other);
  slow.learn();
  const auto quarter = slow.until(State::kConfirmed, runs(0.25));
  EXPECT_EQ(quarter, milliseconds(2400));
  EXPECT_EQ(*other.verdict().hang, HangClass::kSpin);
}

TEST_F(HangLoop, AThreadThatGetsNoCpuIsStarvedAndNotSpinning) {
  const auto time = looks.until(State::kConfirmed, runs(0.01));
  ASSERT_TRUE(time);
  EXPECT_GE(*time, seconds(1));
  EXPECT_EQ(*detector.verdict().hang, HangClass::kStarved);
}

TEST_F(HangLoop, CollectorsAtWorkNearTheHeapLimitMakeItGc) {
  const auto collects = [](std::uint64_t resident) {
    return [resident](HangObservation& seen) {
      runs(1.0)(seen);
      if (!seen.process) seen.process = ProcessView{};
      seen.process->threads_known = true;
      seen.process->resident_bytes = resident;
      seen.process->heap_limit_bytes = 1000;
      seen.process->other_threads_cpu_nanos += 10'000'000;
    };
  };
  EXPECT_EQ(confirmed_as(collects(599)), "spin");
  HangDetector other;
  HangLooks near(other);
  near.learn();
  ASSERT_TRUE(near.until(State::kConfirmed, collects(600)));
  EXPECT_EQ(*other.verdict().hang, HangClass::kGc);
}

TEST_F(HangLoop, ANestedLoopRightAfterAConnectionWasAcceptedIsNotTakenForTheMainOne) {
  HangDetector unlearned;
  HangLooks fresh(unlearned);
  fresh.accept();
  const auto nested = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kEpoll, 20);
    seen.process = ProcessView{};
    seen.process->children = 1;
  };
  fresh.accept(nested);
  ASSERT_TRUE(fresh.until(State::kConfirmed, [&](HangObservation& seen) {
    nested(seen);
    seen.accept_queue = 1;
  }));
  EXPECT_EQ(*unlearned.verdict().hang, HangClass::kSyncChild);
}

TEST_F(HangLoop, ALoopThatSometimesJoinsItsCollectorStillSpins) {
  int look = 0;
  EXPECT_EQ(confirmed_as([&look](HangObservation& seen) {
              runs(0.8)(seen);
              if (++look % 3 == 0) sleep_in(seen, WaitKind::kFutex);
            }),
            "spin");
}

TEST_F(HangLoop, AnAcceptedConnectionOrAShorterQueueStartsTheClockAnew) {
  const auto blocked = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kFutex);
    seen.accept_queue = 5;
    seen.accept_probe.state = AcceptProbeView::State::kIdle;
  };
  ASSERT_EQ(looks.go(14, blocked).state, State::kSuspect);
  looks.go(1, [](auto& seen) { seen.accept_queue = 4; });
  ASSERT_EQ(looks.go(14, blocked).state, State::kSuspect);
  looks.go(1, [](auto& seen) {
    seen.accept_probe.state = AcceptProbeView::State::kAccepted;
    ++seen.main.cpu_nanos;
  });
  EXPECT_EQ(looks.go(14, blocked).state, State::kSuspect);
  EXPECT_EQ(looks.go(1, blocked).state, State::kConfirmed);
}

TEST_F(HangLoop, OfAThreadThatRestsInALockNothingIsTold) {
  HangDetector java;
  HangLooks fresh(java);
  const auto rests = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kFutex);
    seen.process = ProcessView{};
  };
  fresh.go(30, rests);
  EXPECT_FALSE(java.wants(fresh.now()).accept);
  EXPECT_EQ(fresh.until(State::kSuspect,
                        [&](HangObservation& seen) {
                          rests(seen);
                          seen.accept_queue = 3;
                        }),
            std::nullopt);
}

TEST_F(HangLoop, WhereAThreadRestsIsLearnedInHalfASecondWithoutAConnection) {
  for (const auto kind : {WaitKind::kEpoll, WaitKind::kPoll, WaitKind::kAccept}) {
    HangDetector fresh;
    HangLooks quiet(fresh);
    quiet.go(12, [kind](HangObservation& seen) {
      sleep_in(seen, kind, 7);
      seen.process = ProcessView{};
    });
    const auto blocked = [](HangObservation& seen) {
      sleep_in(seen, WaitKind::kFutex);
      seen.accept_queue = 1;
    };
    EXPECT_EQ(quiet.until(State::kConfirmed, blocked), milliseconds(750));
  }
}

TEST_F(HangLoop, OneThatStillImportsItsProgramIsNotJudgedByWhatItsOnlyThreadDoes) {
  const auto imports = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kOther);
    seen.process = ProcessView{};
    seen.process->threads = 1;
    seen.accept_queue = 1;
  };
  HangDetector fresh;
  HangLooks reloaded(fresh);
  EXPECT_EQ(reloaded.until(State::kSuspect, imports), std::nullopt);
  reloaded.go(1, [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kPoll);
    seen.accept_queue = 0;
  });
  EXPECT_TRUE(reloaded.until(State::kConfirmed, imports)) << "it has rested, and serves";
  HangDetector other;
  HangLooks at_once(other);
  at_once.go(1, [](HangObservation& seen) {
    seen.requests.emplace();
    seen.requests->server.waiting = 1;
  });
  at_once.current().requests.reset();
  EXPECT_TRUE(at_once.until(State::kConfirmed, imports)) << "it has taken a request";
}

TEST_F(HangLoop, AThreadThatSleptWhileItsProcessAnsweredServesNobody) {
  HangDetector go;
  HangLooks fresh(go);
  fresh.go(20);
  fresh.go(1, [](HangObservation& seen) { seen.http.success_began = milliseconds(3); });
  const auto parked = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kFutex);
    seen.accept_queue = 1;
  };
  EXPECT_EQ(fresh.until(State::kSuspect, parked), std::nullopt);
}

TEST_F(HangLoop, AStoppedThreadIsToldWithoutAnyWork) {
  HangDetector fresh;
  HangLooks quiet(fresh);
  quiet.go(1);
  EXPECT_EQ(quiet.until(State::kConfirmed,
                        [](HangObservation& seen) {
                          sleep_in(seen, WaitKind::kNone);
                          seen.main.state = 'T';
                        }),
            milliseconds(750));
  EXPECT_EQ(*fresh.verdict().hang, HangClass::kStopped);
}

TEST_F(HangLoop, AnOverloadedLoopThatReadsAndWritesIsGivenEightTimesAsLong) {
  const auto overloaded = [](HangObservation& seen) {
    runs(1.0)(seen);
    seen.accept_queue = 400;
    seen.main.read_calls += 50;
    seen.main.write_calls += 50;
  };
  EXPECT_EQ(looks.until(State::kConfirmed, overloaded), milliseconds(4800));
}

TEST_F(HangLoop, AServerThatAnswersIsNotHungHoweverLongItsQueue) {
  const auto answers = [](Duration newest) {
    return [newest](HangObservation& seen) {
      runs(1.0)(seen);
      seen.accept_queue = 511;
      seen.main.read_calls += 2;
      seen.main.write_calls += 2;
      seen.requests = RequestView{};
      seen.requests->server.last_answer = newest;
    };
  };
  EXPECT_EQ(looks.until(State::kSuspect, answers(milliseconds(1))), std::nullopt);
  looks.current().requests.reset();
  EXPECT_TRUE(looks.until(State::kConfirmed, answers(seconds(30)))) << "nobody was answered meanwhile";
}

TEST_F(HangLoop, AServerThatAcceptsOrReadsIsNotHungThoughItsQueueDoesNotGetShorter) {
  EXPECT_EQ(looks.until(State::kSuspect,
                        [](HangObservation& seen) {
                          runs(1.0)(seen);
                          seen.accept_queue = 511;
                          seen.requests = RequestView{};
                          seen.requests->taken = true;
                        }),
            std::nullopt);
}

TEST_F(HangLoop, WhenItSeemsBusyTheConnectionsAreAsked) {
  looks.go(100, [](HangObservation& seen) {
    runs(1.0)(seen);
    seen.requests = RequestView{};
  });
  EXPECT_FALSE(detector.wants(looks.now() + seconds(5)).requests) << "it neither reads nor writes";
  looks.current().requests.reset();
  looks.go(1, [](HangObservation& seen) {
    ++seen.main.read_calls;
    ++seen.main.write_calls;
  });
  EXPECT_TRUE(detector.wants(looks.now() + seconds(5)).requests);
}

TEST_F(HangLoop, WhatPassesBetweenTwoAnswersCountsAnEighth) {
  int look = 0;
  const auto slow = [&look](HangObservation& seen) {
    runs(1.0)(seen);
    seen.accept_queue = 511;
    if (++look % 4 == 0) {
      ++seen.main.read_calls;
      ++seen.main.write_calls;
    }
  };
  looks.go(96, slow);
  EXPECT_LE(detector.verdict().clock, milliseconds(750)) << "of 4.8 s";
  EXPECT_EQ(confirmed_as(runs(1.0)), "spin") << "and now it answers no more";
}

TEST_F(HangLoop, ALoopThatOnlyWritesItsLogIsHung) {
  EXPECT_EQ(confirmed_as([](HangObservation& seen) {
              runs(1.0)(seen);
              seen.main.write_calls += 3;
            }),
            "spin");
}

TEST_F(HangLoop, OurOwnLatenessDoesNotCount) {
  const auto blocked = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kFutex);
    seen.accept_queue = 1;
  };
  looks.go(1, blocked);
  EXPECT_EQ(looks.go(1, blocked, seconds(30)).state, State::kSuspect) << "30 s without a look count 200 ms";
  EXPECT_EQ(detector.verdict().clock, milliseconds(250));
  EXPECT_EQ(looks.go(2, blocked, seconds(30)).state, State::kSuspect) << "too few looks to name a class";
}

TEST_F(HangLoop, FewerThanFiveLooksConfirmNothing) {
  const auto blocked = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kFutex);
    seen.accept_queue = 1;
  };
  EXPECT_EQ(looks.go(4, blocked, milliseconds(200)).state, State::kSuspect) << "800 ms";
  EXPECT_EQ(looks.go(1, blocked, milliseconds(200)).state, State::kConfirmed);
}

TEST_F(HangLoop, ALoopSeenAsleepWithAnEmptyQueueIsBelieved) {
  EXPECT_EQ(
      looks.go(100, [](auto& seen) { seen.accept_probe.state = AcceptProbeView::State::kWaiting; }).state,
      State::kHealthy);
}

TEST_F(HangLoop, ASleepOfTheHostStartsTheClockAnew) {
  const auto blocked = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kFutex);
    seen.accept_queue = 1;
  };
  looks.go(14, blocked);
  looks.current().resumed = true;
  EXPECT_EQ(looks.go(1, blocked).state, State::kHealthy);
  looks.current().resumed = false;
  EXPECT_EQ(looks.until(State::kConfirmed, blocked), milliseconds(700));
}

TEST_F(HangLoop, AMixtureOfClassesIsNotConfirmed) {
  int look = 0;
  const auto mixture = [&look](HangObservation& seen) {
    sleep_in(seen, ++look % 2 == 0 ? WaitKind::kFutex : WaitKind::kOther);
    seen.accept_queue = 1;
  };
  EXPECT_EQ(looks.go(60, mixture).state, State::kSuspect);
}

TEST_F(HangLoop, AnotherProcessIsJudgedFromTheBeginning) {
  const auto blocked = [](HangObservation& seen) {
    sleep_in(seen, WaitKind::kFutex);
    seen.accept_queue = 1;
  };
  ASSERT_EQ(looks.go(20, blocked).state, State::kConfirmed);
  detector.forget();
  EXPECT_EQ(detector.verdict().state, State::kHealthy);
  EXPECT_EQ(looks.go(5, blocked).state, State::kHealthy);
}

TEST_F(HangLoop, ADebuggerIsToldWhateverTheClass) {
  const auto traced = [](HangObservation& seen) {
    runs(1.0)(seen);
    seen.process = ProcessView{};
    seen.process->debugger_connected = true;
  };
  ASSERT_TRUE(looks.until(State::kConfirmed, traced));
  EXPECT_EQ(*detector.verdict().hang, HangClass::kSpin);
  EXPECT_TRUE(detector.verdict().debugger);
}

TEST_F(HangLoop, DroppedConnectionsAreAHangOnlyWithoutDescriptors) {
  int look = 0;
  const auto drops = [&look](std::uint64_t open) {
    return [&look, open](HangObservation& seen) {
      seen.process = ProcessView{};
      seen.process->open_fds = open;
      seen.process->fd_limit = 100;
      seen.accept_probe.state =
          ++look % 10 == 0 ? AcceptProbeView::State::kDropped : AcceptProbeView::State::kIdle;
    };
  };
  EXPECT_EQ(looks.go(100, drops(94)).state, State::kHealthy);
  ASSERT_TRUE(looks.until(State::kConfirmed, drops(95)));
  EXPECT_EQ(*detector.verdict().hang, HangClass::kFdExhausted);
}

}  // namespace
}  // namespace codex
