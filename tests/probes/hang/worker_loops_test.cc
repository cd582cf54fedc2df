#include "probes/hang/worker_loops.h"

#include <gtest/gtest.h>

#include "tests/support/hang_looks.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = HangVerdict::State;
using test::HangLooks;

/// Three workers behind one listening socket, looked at every 50 ms by a detector.
class Workers : public testing::Test {
 protected:
  void SetUp() override {
    for (const pid_t pid : {11, 12, 13}) {
      WorkerView worker;
      worker.id = {pid, 1};
      worker.main.state = 'S';
      worker.main.waits_in = WaitKind::kEpoll;
      worker.main.syscall = 281;
      worker.main.argument = 7;
      worker.process = ProcessView{};
      looks.current().workers.push_back(worker);
    }
    looks.go(15);
  }

  void rests(WorkerView& worker) {
    worker.main.state = 'S';
    worker.main.waits_in = WaitKind::kEpoll;
    worker.requests.emplace();
  }
  /// In the midst of a request that waits for a lock.
  void blocked(WorkerView& worker) {
    worker.main.state = 'S';
    worker.main.waits_in = WaitKind::kFutex;
    worker.requests.emplace();
    worker.requests->server.connections = worker.requests->server.waiting = 1;
  }
  void spins(WorkerView& worker) {
    blocked(worker);
    worker.main.state = 'R';
    worker.main.waits_in = WaitKind::kNone;
    worker.main.cpu_nanos += static_cast<std::uint64_t>(HangLooks::kStep.count());
  }
  std::vector<WorkerView>& workers() { return looks.current().workers; }

  /// Until somebody is told, at most `limit`.
  std::optional<Duration> told_after(const HangLooks::Change& change, Duration limit = seconds(10)) {
    for (Duration passed{0}; passed < limit; passed += HangLooks::kStep) {
      looks.go(1, change);
      if (!detector.stuck_workers().empty()) return passed + HangLooks::kStep;
    }
    return std::nullopt;
  }

  HangDetector detector;
  HangLooks looks{detector};
};

TEST_F(Workers, AreCounted) {
  EXPECT_EQ(detector.workers(), 3);
  EXPECT_TRUE(detector.stuck_workers().empty());
}

TEST_F(Workers, OneThatSpinsIsToldByItsPidAndTheBackendIsNotHung) {
  const auto told = told_after([this](HangObservation&) { spins(workers()[1]); });
  ASSERT_TRUE(told);
  EXPECT_LE(*told, seconds(4));
  ASSERT_EQ(detector.stuck_workers().size(), 1U);
  EXPECT_EQ(detector.stuck_workers()[0].id, (ProcessId{12, 1}));
  EXPECT_EQ(detector.stuck_workers()[0].hang, HangClass::kSpin);
  EXPECT_EQ(detector.verdict().state, State::kHealthy);
}

TEST_F(Workers, OneThatWaitsForALockIsTold) {
  ASSERT_TRUE(told_after([this](HangObservation&) { blocked(workers()[2]); }));
  EXPECT_EQ(detector.stuck_workers()[0].id.pid, 13);
  EXPECT_EQ(detector.stuck_workers()[0].hang, HangClass::kFutex);
}

TEST_F(Workers, OneThatIsStoppedIsToldSoonAndWithoutAnyWork) {
  const auto told = told_after([this](HangObservation&) {
    workers()[0].main.state = 'T';
    workers()[0].main.waits_in = WaitKind::kNone;
  });
  ASSERT_TRUE(told);
  EXPECT_LE(*told, seconds(1));
  EXPECT_EQ(detector.stuck_workers()[0].hang, HangClass::kStopped);
}

TEST_F(Workers, ARequestOfTwoSecondsIsNothingToTell) {
  EXPECT_FALSE(told_after([this](HangObservation&) { blocked(workers()[1]); }, seconds(2)));
  EXPECT_FALSE(told_after([this](HangObservation&) { rests(workers()[1]); }, seconds(5)));
}

TEST_F(Workers, WhatOthersAcceptAcquitsNobody) {
  int look = 0;
  const auto told = told_after([&](HangObservation& seen) {
    spins(workers()[1]);
    seen.accept_queue = ++look % 2;
    seen.accept_probe.state =
        look % 5 == 0 ? AcceptProbeView::State::kAccepted : AcceptProbeView::State::kIdle;
  });
  ASSERT_TRUE(told);
  EXPECT_LE(*told, seconds(4));
}

TEST_F(Workers, ItsOwnAnswerDoes) {
  int look = 0;
  EXPECT_FALSE(told_after([&](HangObservation&) {
    blocked(workers()[1]);
    if (++look % 20 == 0) workers()[1].requests->server.last_answer = milliseconds(20);
  }));
}

TEST_F(Workers, WhenAllAreStuckTheBackendIsFromWhenTheLastOneWas) {
  looks.go(20, [this](HangObservation&) { blocked(workers()[0]); });
  const TimePoint last = looks.now();
  const auto confirmed = looks.until(State::kConfirmed, [this](HangObservation&) {
    for (auto& worker : workers()) blocked(worker);
  });
  ASSERT_TRUE(confirmed);
  EXPECT_LE(*confirmed, seconds(4));
  EXPECT_EQ(detector.verdict().hang, HangClass::kFutex);
  EXPECT_TRUE(detector.verdict().why.starts_with("all 3 workers: ")) << detector.verdict().why;
  EXPECT_GE(*detector.verdict().since, last);
}

TEST_F(Workers, AQueueThatNobodyTakesFromIsWorkForAll) {
  ASSERT_TRUE(looks.until(State::kConfirmed, [this](HangObservation& seen) {
    seen.accept_queue = 4;
    for (auto& worker : workers()) {
      blocked(worker);
      worker.requests->server.waiting = 0;
    }
  }));
  EXPECT_EQ(detector.verdict().hang, HangClass::kFutex);
}

TEST_F(Workers, OnlyWhenAllAreAwayAConnectionIsWorthIt) {
  looks.go(5, [this](HangObservation&) { spins(workers()[0]); });
  EXPECT_FALSE(detector.wants(looks.now()).accept);
  EXPECT_TRUE(detector.wants(looks.now()).group);
  looks.go(5, [this](HangObservation&) {
    for (auto& worker : workers()) spins(worker);
  });
  EXPECT_TRUE(detector.wants(looks.now()).accept);
}

TEST_F(Workers, ASleepOfTheHostStartsAnew) {
  looks.go(50, [this](HangObservation&) { spins(workers()[1]); });
  looks.go(1, [](HangObservation& seen) { seen.resumed = true; });
  looks.current().resumed = false;
  EXPECT_FALSE(told_after([this](HangObservation&) { spins(workers()[1]); }, seconds(1)));
}

}  // namespace
}  // namespace codex
