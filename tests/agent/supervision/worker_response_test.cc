#include "agent/supervision/worker_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/support/fake_schedule.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

ProcessId id(pid_t pid) {
  return {pid, 1};
}

StuckWorker stuck(pid_t pid, Duration clock, HangClass hang = HangClass::kSpin) {
  return {id(pid), hang, "uses 99 % of a CPU, opensesame", TimePoint{}, clock};
}

class WorkerResponseTest : public ::testing::Test {
 protected:
  void configure(HangWorkerConfig worker) {
    config_.name = "api";
    config_.hang_worker = worker;
    redactor_.add(Secret("opensesame"));
    response_.emplace(
        config_, schedule_, record_, log_, redactor_,
        WorkerResponse::Hands{
            [this](EvidenceRequest request, EvidenceRecorder::Done done) {
              requests_.push_back(std::move(request));
              done_.push_back(std::move(done));
            },
            [this](const ProcessId& member, int signal) { signals_.emplace_back(member.pid, signal); },
            [this] { ++changed_; }, [this](const Report& report) { restarts_.push_back(report); }});
  }
  void SetUp() override { configure({}); }

  /// A look after some time.
  void look(const std::vector<StuckWorker>& stuck, Duration passed = milliseconds(50), bool all = false) {
    schedule_.pass(passed);
    response_->follow(serving_, stuck, all);
  }
  BackendSnapshot shown() const {
    BackendSnapshot snapshot;
    record_.fill(snapshot);
    response_->fill(snapshot);
    return snapshot;
  }

  BackendConfig config_;
  Redactor redactor_;
  Logger log_{redactor_, nullptr};
  testing::FakeSchedule schedule_;
  BackendRecord record_;
  std::vector<ProcessId> serving_{id(11), id(12), id(13)};
  std::vector<EvidenceRequest> requests_;
  std::vector<EvidenceRecorder::Done> done_;
  std::vector<std::pair<pid_t, int>> signals_;
  int changed_ = 0;
  std::vector<Report> restarts_;
  std::optional<WorkerResponse> response_;
};

TEST_F(WorkerResponseTest, NobodyHangs) {
  look({});
  EXPECT_EQ(response_->sentence(), "");
  EXPECT_EQ(shown().workers.serving, 3);
  EXPECT_EQ(changed_, 0);
}

TEST_F(WorkerResponseTest, OneIsToldWithItsPidAndLaterWithItsFunction) {
  look({stuck(12, seconds(3))});
  EXPECT_EQ(response_->sentence(), "1 of 3 workers: spin, pid 12");
  EXPECT_EQ(changed_, 1);
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].server, id(12));
  EXPECT_EQ(requests_[0].hang_class, "spin");
  EXPECT_EQ(requests_[0].since, schedule_.wall_now() - seconds(3));
  done_[0](EvidenceRecorder::Answer{"20260101T000000.000Z-api", "reckon (server.js, from line 4)"});
  EXPECT_EQ(response_->sentence(), "1 of 3 workers: spin in reckon (server.js, from line 4), pid 12");
  EXPECT_EQ(changed_, 2);
  const auto hung = shown().workers.hung;
  ASSERT_EQ(hung.size(), 1U);
  EXPECT_EQ(hung[0].pid, 12);
  EXPECT_EQ(hung[0].where, "reckon (server.js, from line 4)");
  EXPECT_EQ(hung[0].evidence, "20260101T000000.000Z-api");
  EXPECT_THAT(hung[0].detail, ::testing::Not(HasSubstr("opensesame")));
  EXPECT_EQ(shown().workers.hangs["spin"], 1U);
  EXPECT_EQ(shown().hangs["spin"], 0U) << "the backend does not hang";
}

TEST_F(WorkerResponseTest, OneHangIsToldOnce) {
  for (int i = 0; i < 100; ++i) look({stuck(12, seconds(3) + i * milliseconds(50))});
  EXPECT_EQ(requests_.size(), 1U);
  EXPECT_EQ(shown().workers.hangs["spin"], 1U);
  EXPECT_EQ(changed_, 1);
  EXPECT_THAT(signals_, IsEmpty()) << "to tell is all that is asked for";
}

TEST_F(WorkerResponseTest, ItIsOverWhenItGoesOn) {
  look({stuck(12, seconds(3))});
  look({});
  EXPECT_EQ(response_->sentence(), "");
  EXPECT_EQ(changed_, 2);
}

TEST_F(WorkerResponseTest, TwoAreTwo) {
  look({stuck(12, seconds(3)), stuck(13, seconds(4), HangClass::kStopped)});
  EXPECT_EQ(response_->sentence(), "2 of 3 workers: spin, pid 12; stopped, pid 13");
}

TEST_F(WorkerResponseTest, AHangOfAllIsNotToldOfEach) {
  look({stuck(11, seconds(3)), stuck(12, seconds(3)), stuck(13, seconds(3))}, milliseconds(50), true);
  EXPECT_EQ(response_->sentence(), "");
  EXPECT_THAT(requests_, IsEmpty());
}

TEST_F(WorkerResponseTest, OneThatItsMasterMayNotReplaceIsNotKilled) {
  configure({HangWorkerAction::kKill, false});
  look({stuck(12, seconds(60))});
  EXPECT_THAT(signals_, IsEmpty());
}

TEST_F(WorkerResponseTest, OneThatItsMasterReplacesIsEndedAfterThePatienceOfItsClass) {
  configure({HangWorkerAction::kKill, true});
  look({stuck(12, seconds(5) - milliseconds(1))});
  EXPECT_THAT(signals_, IsEmpty());
  look({stuck(12, seconds(5))});
  EXPECT_THAT(signals_, ElementsAre(Pair(12, SIGTERM)));
  look({stuck(12, seconds(6))}, seconds(1));
  EXPECT_EQ(signals_.size(), 1U) << "it has two seconds";
  look({stuck(12, seconds(7))}, seconds(1));
  EXPECT_THAT(signals_, ElementsAre(Pair(12, SIGTERM), Pair(12, SIGKILL)));
  look({stuck(12, seconds(8))}, seconds(1));
  EXPECT_EQ(signals_.size(), 2U);
  serving_ = {id(11), id(13), id(14)};
  look({}, seconds(1));
  look({}, seconds(60));
  EXPECT_THAT(restarts_, IsEmpty());
}

TEST_F(WorkerResponseTest, AMasterThatWasSeenToReplaceOneIsBelieved) {
  configure({HangWorkerAction::kKill, false});
  look({});
  serving_ = {id(11), id(13)};
  look({}, seconds(1));
  serving_ = {id(11), id(13), id(14)};
  look({}, seconds(1));
  look({stuck(14, seconds(5))});
  EXPECT_THAT(signals_, ElementsAre(Pair(14, SIGTERM)));
}

TEST_F(WorkerResponseTest, AllNewWorkersAreARestartAndNoReplacement) {
  configure({HangWorkerAction::kKill, false});
  look({});
  serving_ = {id(21), id(22), id(23)};
  look({}, seconds(1));
  look({stuck(22, seconds(5))});
  EXPECT_THAT(signals_, IsEmpty());
}

TEST_F(WorkerResponseTest, WhenNoneComesInItsPlaceAllIsRestarted) {
  configure({HangWorkerAction::kKill, true});
  look({stuck(12, seconds(5))});
  serving_ = {id(11), id(13)};
  look({}, seconds(1));
  look({}, seconds(10));
  EXPECT_THAT(restarts_, IsEmpty());
  look({}, seconds(1));
  ASSERT_EQ(restarts_.size(), 1U);
  EXPECT_EQ(restarts_[0].event.cause, Cause::kHang);
  look({}, seconds(60));
  EXPECT_EQ(restarts_.size(), 1U);
}

TEST_F(WorkerResponseTest, WhatARestartWouldNotBringBackIsNotKilledFor) {
  configure({HangWorkerAction::kKill, true});
  look({stuck(12, seconds(600), HangClass::kDiskWait), stuck(13, seconds(600), HangClass::kPaused)});
  EXPECT_THAT(signals_, IsEmpty());
}

}  // namespace
}  // namespace codex
