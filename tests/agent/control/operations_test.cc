#include "agent/control/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace codex {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

/// A backend without processes: the test says what happens to it, its Lifecycle says what follows.
class FakeBackend : public OperationTarget {
 public:
  FakeBackend(std::string name, const TimePoint& now, const LifecycleConfig& limits)
      : name_(std::move(name)), now_(now), limits_(limits), life_(limits, 1) {}

  void start() override { on({EventType::kStart}); }
  void stop() override { on({EventType::kStop}); }
  void restart() override { on({EventType::kRestart, Cause::kRestartCommand}); }

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] LifecycleConfig limits() const override { return limits_; }
  [[nodiscard]] State state() const override { return life_.state(); }
  [[nodiscard]] Cause cause() const override { return life_.cause(); }
  [[nodiscard]] bool desired_running() const override { return life_.desired_running(); }
  [[nodiscard]] std::string summary() const override { return name_ + " " + std::string(to_string(state())); }
  [[nodiscard]] std::vector<std::string> last_output() const override { return {"boom in " + name_}; }
  [[nodiscard]] std::string progress() const override { return std::string(to_string(state())) + phase_; }
  [[nodiscard]] bool saved() const override { return saved_; }

  void on(const Event& event) { life_.on(event, now_); }
  void set_phase(std::string phase) { phase_ = std::move(phase); }
  void set_saved(bool saved) { saved_ = saved; }

 private:
  std::string name_, phase_;
  const TimePoint& now_;
  LifecycleConfig limits_;
  Lifecycle life_;
  bool saved_ = true;
};

class Commands : public testing::Test {
 protected:
  static LifecycleConfig limits(Duration start_timeout = seconds(60), Duration stop_timeout = seconds(2)) {
    LifecycleConfig limits;
    limits.start_timeout = start_timeout;
    limits.stop_timeout = stop_timeout;
    limits.restart.start_limit = 5;
    limits.restart.start_limit_interval = minutes(1);
    limits.restart.max_delay = seconds(30);
    return limits;
  }

  /// Of `command` alone on `backend`.
  std::uint64_t begin(Command command, FakeBackend& backend) {
    return operations_.begin(command, {&backend}).id;
  }
  [[nodiscard]] const Operation& operation(std::uint64_t id) const { return *operations_.find(id); }
  [[nodiscard]] const OperationResult& result(std::uint64_t id, std::size_t index = 0) const {
    return operation(id).results.at(index);
  }
  void expect_answer(std::uint64_t id, int code, const std::string& words) const {
    EXPECT_TRUE(operation(id).done());
    EXPECT_EQ(result(id).code, code);
    EXPECT_THAT(result(id).message, HasSubstr(words));
  }
  void happens(FakeBackend& backend, const Event& event) {
    backend.on(event);
    operations_.follow();
  }
  void bring_up(FakeBackend& backend) {
    backend.start();
    backend.on({EventType::kReady});
    ASSERT_EQ(backend.state(), State::kRunning);
  }

  TimePoint now_{hours(1)};
  Operations operations_{[this] { return now_; }};
  FakeBackend api_{"api", now_, limits()}, web_{"web", now_, limits()};
};

TEST_F(Commands, AStartIsOverWhenTheBackendRuns) {
  const auto id = begin(Command::kStart, api_);
  EXPECT_EQ(api_.state(), State::kStarting);
  EXPECT_FALSE(operation(id).done());
  EXPECT_TRUE(operations_.follow());
  happens(api_, {EventType::kReady});
  expect_answer(id, kCommandOk, "api running");
  EXPECT_FALSE(operations_.follow()) << "nothing is under way";
  EXPECT_TRUE(result(id).output.empty());
}

TEST_F(Commands, AStartOfARunningBackendIsOkAtOnce) {
  bring_up(api_);
  const auto id = begin(Command::kStart, api_);
  expect_answer(id, kCommandOk, "already api running");
}

TEST_F(Commands, AStopIsOverWhenTheTreeIsEmpty) {
  bring_up(api_);
  const auto id = begin(Command::kStop, api_);
  EXPECT_EQ(api_.state(), State::kStopping);
  EXPECT_FALSE(operation(id).done());
  happens(api_, {EventType::kTreeEmpty});
  expect_answer(id, kCommandOk, "stopped");
}

TEST_F(Commands, AStopOfAStoppedBackendIsOkAtOnce) {
  expect_answer(begin(Command::kStop, api_), kCommandOk, "stopped");
}

TEST_F(Commands, ARestartIsOverWhenTheBackendRunsAgain) {
  bring_up(api_);
  const auto id = begin(Command::kRestart, api_);
  EXPECT_FALSE(operation(id).done()) << "that it still runs is not the answer";
  happens(api_, {EventType::kTreeEmpty});
  EXPECT_EQ(api_.state(), State::kStarting);
  EXPECT_FALSE(operation(id).done());
  happens(api_, {EventType::kReady});
  expect_answer(id, kCommandOk, "api running");
}

TEST_F(Commands, ARestartOfAStoppedBackendStartsIt) {
  const auto id = begin(Command::kRestart, api_);
  happens(api_, {EventType::kReady});
  expect_answer(id, kCommandOk, "api running");
}

TEST_F(Commands, AStartThatFailsIsToldWithItsReason) {
  const auto id = begin(Command::kStart, api_);
  happens(api_, {EventType::kTimer});
  EXPECT_FALSE(operation(id).done()) << "it is still being brought down";
  happens(api_, {EventType::kTreeEmpty});
  expect_answer(id, kCommandFailed, "api failed");
  EXPECT_EQ(result(id).output, std::vector<std::string>{"boom in api"});
}

TEST_F(Commands, AStartOnATakenPortIsRefused) {
  const auto id = begin(Command::kStart, api_);
  happens(api_, {EventType::kPortTaken});
  expect_answer(id, kCommandRefused, "api failed");
}

TEST_F(Commands, AStartThatEndsByItselfIsToldToHaveDoneSo) {
  auto config = limits();
  config.restart.policy = RestartPolicy::kOnFailure;
  FakeBackend job("job", now_, config);
  const auto id = begin(Command::kStart, job);
  happens(job, {EventType::kExited, Cause::kExit});
  EXPECT_FALSE(operation(id).done());
  happens(job, {EventType::kTreeEmpty});
  expect_answer(id, kCommandFailed, "ended by itself");
}

TEST_F(Commands, AStartIsWaitedForThroughACrashAndItsBackoff) {
  const auto id = begin(Command::kStart, api_);
  for (int crash = 0; crash < 2; ++crash) {
    happens(api_, {EventType::kExited, Cause::kCrash});
    happens(api_, {EventType::kTreeEmpty});
  }
  EXPECT_EQ(api_.state(), State::kBackoff);
  EXPECT_FALSE(operation(id).done());
  happens(api_, {EventType::kTimer});
  happens(api_, {EventType::kReady});
  expect_answer(id, kCommandOk, "api running");
}

TEST_F(Commands, OfAStartAndALaterStopTheStopWins) {
  const auto start = begin(Command::kStart, api_);
  const auto stop = begin(Command::kStop, api_);
  expect_answer(start, kCommandFailed, "a later stop won");
  EXPECT_FALSE(operation(stop).done());
  happens(api_, {EventType::kTreeEmpty});
  expect_answer(stop, kCommandOk, "stopped");
  expect_answer(start, kCommandFailed, "a later stop won");
}

TEST_F(Commands, AStopWinsAtOnceOverAStartThatWaits) {
  const auto start = begin(Command::kStart, api_);
  for (int crash = 0; crash < 2; ++crash) {
    api_.on({EventType::kExited, Cause::kCrash});
    api_.on({EventType::kTreeEmpty});
  }
  const auto stop = begin(Command::kStop, api_);
  expect_answer(stop, kCommandOk, "stopped");
  expect_answer(start, kCommandFailed, "a later stop won");
}

TEST_F(Commands, OfAStopAndALaterStartTheStartWins) {
  for (const auto later : {Command::kStart, Command::kRestart}) {
    FakeBackend backend("api", now_, limits());
    bring_up(backend);
    const auto stop = begin(Command::kStop, backend);
    const auto start = begin(later, backend);
    expect_answer(stop, kCommandFailed, "a later start won: api stopping");
    happens(backend, {EventType::kTreeEmpty});
    happens(backend, {EventType::kReady});
    expect_answer(start, kCommandOk, "api running");
    expect_answer(stop, kCommandFailed, "a later start won: api stopping");
  }
}

TEST_F(Commands, TwoStartsEndTogether) {
  const auto first = begin(Command::kStart, api_), second = begin(Command::kStart, api_);
  EXPECT_FALSE(operation(second).done());
  happens(api_, {EventType::kReady});
  expect_answer(first, kCommandOk, "api running");
  expect_answer(second, kCommandOk, "api running");
}

TEST_F(Commands, AnOperationIsDoneWhenItIsOnAllItsBackends) {
  bring_up(web_);
  const auto id = operations_.begin(Command::kStart, {&api_, &web_}).id;
  EXPECT_FALSE(operation(id).done());
  EXPECT_FALSE(result(id, 0).done);
  EXPECT_TRUE(result(id, 1).done);
  EXPECT_EQ(result(id, 0).backend, &api_);
  EXPECT_EQ(result(id, 1).backend, &web_);
  begin(Command::kStop, web_);
  EXPECT_EQ(result(id, 1).code, kCommandOk) << "it has been answered";
  happens(api_, {EventType::kReady});
  EXPECT_TRUE(operation(id).done());
}

TEST_F(Commands, AShutdownStopsAllAndWaitsForAll) {
  bring_up(api_);
  bring_up(web_);
  const auto id = operations_.begin(Command::kShutdown, {&api_, &web_}).id;
  happens(web_, {EventType::kTreeEmpty});
  EXPECT_TRUE(result(id, 1).done);
  EXPECT_FALSE(operation(id).done());
  happens(api_, {EventType::kTreeEmpty});
  EXPECT_TRUE(operation(id).done());
  EXPECT_EQ(result(id, 0).code, kCommandOk);
}

TEST_F(Commands, ACommandOnNothingIsDone) {
  EXPECT_TRUE(operations_.begin(Command::kShutdown, {}).done());
}

/// What is configured of the backend with the most patience, and some for what nobody can configure.
TEST_F(Commands, TheDeadlineIsThatOfTheMostPatientBackend) {
  FakeBackend slow("slow", now_, limits(minutes(5), seconds(40)));
  for (const auto command : {Command::kStop, Command::kShutdown}) {
    EXPECT_EQ(operations_.begin(command, {&slow, &api_}).deadline, now_ + seconds(50));
  }
  const auto restarts = minutes(1) + seconds(30) * 5;
  for (const auto command : {Command::kStart, Command::kRestart}) {
    EXPECT_EQ(operations_.begin(command, {&slow, &api_}).deadline,
              now_ + seconds(50) + minutes(5) + restarts);
  }
  EXPECT_EQ(operations_.begin(Command::kStop, {&api_}).deadline, now_ + seconds(12));
}

TEST_F(Commands, AtTheDeadlineItHasFailedAndThatIsFinal) {
  bring_up(web_);
  const auto start = begin(Command::kStart, api_), stop = begin(Command::kStop, web_);
  for (const auto id : {stop, start}) {
    now_ = operation(id).deadline - milliseconds(1);
    operations_.follow();
    EXPECT_FALSE(operation(id).done());
    now_ += milliseconds(1);
    operations_.follow();
    EXPECT_TRUE(operation(id).done());
  }
  expect_answer(start, kCommandFailed, "not running in time: api starting");
  expect_answer(stop, kCommandFailed, "not stopped in time: web stopping");
  happens(api_, {EventType::kReady});
  happens(web_, {EventType::kTreeEmpty});
  expect_answer(start, kCommandFailed, "not running in time: api starting");
  expect_answer(stop, kCommandFailed, "not stopped in time: web stopping");
}

TEST_F(Commands, AnAnswerIsGivenWhenWhatItSaysIsSaved) {
  bring_up(web_);
  const auto start = begin(Command::kStart, api_), stop = begin(Command::kStop, web_);
  api_.set_saved(false);
  web_.set_saved(false);
  happens(api_, {EventType::kReady});
  happens(web_, {EventType::kTreeEmpty});
  EXPECT_FALSE(operation(start).done() || operation(stop).done());
  EXPECT_EQ(result(start).message, "");
  EXPECT_TRUE(operations_.follow());
  api_.set_saved(true);
  operations_.follow();
  expect_answer(start, kCommandOk, "api running");
  EXPECT_FALSE(operation(stop).done());
  web_.set_saved(true);
  operations_.follow();
  expect_answer(stop, kCommandOk, "stopped");
}

TEST_F(Commands, ThatTheTimeIsUpHoldsUnsaved) {
  const auto id = begin(Command::kStart, api_);
  api_.set_saved(false);
  now_ = operation(id).deadline;
  operations_.follow();
  expect_answer(id, kCommandFailed, "in time");
}

TEST_F(Commands, RevisionsGrowWhenThereIsNewsOrTheLastIsOld) {
  const auto id = begin(Command::kStart, api_);
  const auto told = operation(id).revision, all = operations_.revisions();
  now_ += milliseconds(99);
  operations_.follow();
  EXPECT_EQ(operation(id).revision, told) << "nothing has changed";
  api_.set_phase(" listen");
  operations_.follow();
  EXPECT_EQ(operation(id).revision, told + 1) << "news are told at once";
  now_ += milliseconds(99);
  operations_.follow();
  EXPECT_EQ(operation(id).revision, told + 1);
  now_ += milliseconds(1);
  operations_.follow();
  EXPECT_EQ(operation(id).revision, told + 2) << "a client shows how time passes";
  happens(api_, {EventType::kReady});
  EXPECT_EQ(operation(id).revision, told + 3);
  now_ += hours(1);
  operations_.follow();
  EXPECT_EQ(operation(id).revision, told + 3) << "it is over";
  EXPECT_EQ(operations_.revisions(), all + 3);
}

TEST_F(Commands, ThatItIsSavedIsNewsAlthoughTheBackendHasNotChanged) {
  const auto id = begin(Command::kStart, api_);
  api_.set_saved(false);
  happens(api_, {EventType::kReady});
  const auto told = operation(id).revision;
  api_.set_saved(true);
  operations_.follow();
  EXPECT_EQ(operation(id).revision, told + 1);
}

TEST_F(Commands, WhatIsHandedOverIsNeverDoneHere) {
  const auto done = begin(Command::kStop, web_), open = begin(Command::kStart, api_);
  const auto told = operation(open).revision, all = operations_.revisions();
  operations_.hand_over();
  EXPECT_TRUE(operation(open).handed_over);
  EXPECT_FALSE(operation(open).done());
  EXPECT_EQ(operation(open).revision, told + 1) << "who waits for it is told";
  EXPECT_FALSE(operation(done).handed_over) << "it has had its answer";
  EXPECT_EQ(operations_.revisions(), all + 1);

  api_.on({EventType::kReady});
  now_ += hours(1);
  EXPECT_FALSE(operations_.follow()) << "nobody waits here";
  EXPECT_FALSE(operation(open).done());
  EXPECT_EQ(operations_.revisions(), all + 1);
}

TEST_F(Commands, TheLastHundredAreRemembered) {
  const auto first = begin(Command::kStop, api_);
  for (int i = 1; i < 100; ++i) begin(Command::kStop, api_);
  EXPECT_NE(operations_.find(first), nullptr);
  const auto last = begin(Command::kStop, api_);
  EXPECT_EQ(last, first + 100);
  EXPECT_EQ(operations_.find(first), nullptr);
  EXPECT_NE(operations_.find(first + 1), nullptr);
  EXPECT_EQ(operations_.find(last + 1), nullptr);
}

TEST_F(Commands, WhatIsUnderWayIsRememberedHoweverLong) {
  const auto first = begin(Command::kStart, api_);
  for (int i = 0; i < 150; ++i) begin(Command::kStop, web_);
  ASSERT_NE(operations_.find(first), nullptr);
  happens(api_, {EventType::kReady});
  expect_answer(first, kCommandOk, "api running");
  const auto last = begin(Command::kStop, web_);
  EXPECT_EQ(operations_.find(first), nullptr);
  EXPECT_EQ(operations_.find(last - 100), nullptr);
  EXPECT_NE(operations_.find(last - 99), nullptr);
}

TEST(CommandNames, AreThoseOfTheControlApi) {
  EXPECT_EQ(to_string(Command::kStart), "start");
  EXPECT_EQ(to_string(Command::kStop), "stop");
  EXPECT_EQ(to_string(Command::kRestart), "restart");
  EXPECT_EQ(to_string(Command::kShutdown), "shutdown");
}

}  // namespace
}  // namespace codex
