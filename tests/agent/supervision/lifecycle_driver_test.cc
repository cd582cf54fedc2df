#include "agent/supervision/lifecycle_driver.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/fake_schedule.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Steps = std::vector<std::string>;

std::string name(const Action& action) {
  switch (action.type) {
    case ActionType::kAdopt:
      return "adopt";
    case ActionType::kSpawn:
      return "spawn";
    case ActionType::kStopTree:
      return "stop tree";
    case ActionType::kKillTree:
      return "kill tree";
    case ActionType::kCountRestart:
      return "count " + std::string(to_string(action.cause));
    case ActionType::kArmTimer:
    case ActionType::kDisarmTimer:
      break;
  }
  return "the timer, which is the driver's own";
}

class Driver : public ::testing::Test {
 protected:
  /// What was done since the last time.
  Steps done() { return std::exchange(done_, {}); }
  Steps after(const Event& event) {
    done_.clear();
    driver_->handle(event);
    return done();
  }
  void begin(LifecycleConfig config = {}) {
    driver_.emplace(
        config, 1, schedule_,
        LifecycleDriver::Hands{.entered =
                                   [this](State before) {
                                     do_step(std::string(to_string(before)) + " -> " +
                                             std::string(to_string(driver_->lifecycle().state())));
                                   },
                               .carry_out = [this](const Action& action) { do_step(name(action)); },
                               .leftovers =
                                   [this] {
                                     ++asked_;
                                     return leftovers_;
                                   },
                               .held = [this] { return held_; },
                               .failed =
                                   [this](std::string_view step, const std::exception& error) {
                                     done_.push_back(std::string(step) + " failed: " + error.what());
                                   },
                               .settled = [this] { do_step("settled"); }});
  }
  /// A fresh one, led into `state`.
  void begin_in(State state) {
    LifecycleConfig config;
    config.restart.initial_delay = seconds(1);
    if (state == State::kFailed) config.restart.policy = RestartPolicy::kNever;
    begin(config);
    if (state != State::kStopped) driver_->handle({EventType::kStart});
    if (state != State::kStopped && state != State::kStarting) driver_->handle({EventType::kReady});
    if (state == State::kStopping || state == State::kBackoff || state == State::kFailed)
      driver_->handle({EventType::kExited, Cause::kCrash});
    if (state == State::kBackoff || state == State::kFailed) driver_->handle({EventType::kTreeEmpty});
    ASSERT_EQ(driver_->lifecycle().state(), state);
    done_.clear();
    asked_ = 0;
  }
  [[nodiscard]] State state() const { return driver_->lifecycle().state(); }

  testing::FakeSchedule schedule_;
  std::optional<LifecycleDriver> driver_;
  std::map<std::string, std::function<void()>> during_;  ///< happens within that step, once
  Steps done_;
  bool leftovers_ = false, held_ = false;
  int asked_ = 0;

 private:
  void do_step(const std::string& step) {
    done_.push_back(step);
    if (const auto within = during_.extract(step)) within.mapped()();
  }
};

TEST_F(Driver, EntersAStateBeforeItsActionsAndSettlesAtLast) {
  begin();
  EXPECT_EQ(after({EventType::kStart}), (Steps{"stopped -> starting", "spawn", "settled"}));
  EXPECT_EQ(after({EventType::kReady}), (Steps{"starting -> running", "settled"}));
  EXPECT_EQ(after({EventType::kExited, Cause::kCrash}),
            (Steps{"running -> stopping", "stop tree", "settled"}));
  EXPECT_EQ(after({EventType::kTreeEmpty}),
            (Steps{"stopping -> starting", "count crash", "spawn", "settled"}));
}

TEST_F(Driver, ADebuggerHoldsTheTimeLimitOfAStart) {
  LifecycleConfig config;
  config.start_timeout = seconds(10);
  begin(config);
  driver_->handle({EventType::kStart});
  held_ = true;
  schedule_.pass(seconds(600));
  EXPECT_EQ(state(), State::kStarting);
  held_ = false;
  schedule_.pass(seconds(1) + seconds(10) - milliseconds(1));
  EXPECT_EQ(state(), State::kStarting) << "it goes on from where it was held";
  schedule_.pass(seconds(1));
  EXPECT_EQ(state(), State::kStopping);
}

TEST_F(Driver, TheMomentOfTheNextAttemptStaysTheSame) {
  begin_in(State::kBackoff);
  const auto told = driver_->next_attempt();
  ASSERT_TRUE(told);
  schedule_.wall_at_first += seconds(3600);  // somebody sets the clock
  EXPECT_EQ(driver_->next_attempt(), told);
  driver_->handle({EventType::kStop});
  EXPECT_FALSE(driver_->next_attempt());
}

TEST_F(Driver, SettlesAlsoAfterAnEventThatMeansNothing) {
  begin();
  EXPECT_EQ(after({EventType::kReady}), Steps{"settled"});
}

TEST_F(Driver, AnActionsOwnEventWaitsUntilTheStepIsComplete) {
  begin_in(State::kRunning);
  driver_->handle({EventType::kRestart, Cause::kRestartCommand});
  during_["count restart_command"] = [this] { driver_->handle({EventType::kStop}); };
  EXPECT_EQ(after({EventType::kTreeEmpty}), (Steps{"stopping -> starting", "count restart_command", "spawn",
                                                   "starting -> stopping", "stop tree", "settled"}))
      << "it is spawned before it is stopped";
}

TEST_F(Driver, AnEventFromWithinTheEntryWaitsForTheActionsOfTheState) {
  begin();
  during_["stopped -> starting"] = [this] { driver_->handle({EventType::kReady}); };
  EXPECT_EQ(after({EventType::kStart}),
            (Steps{"stopped -> starting", "spawn", "starting -> running", "settled"}));
}

TEST_F(Driver, EventsOfOneStepComeInTheirOrderAndSettleOnce) {
  begin();
  during_["spawn"] = [this] {
    driver_->handle({EventType::kReady});
    driver_->handle({EventType::kStop});
    driver_->handle({EventType::kTreeEmpty});
  };
  EXPECT_EQ(after({EventType::kStart}),
            (Steps{"stopped -> starting", "spawn", "starting -> running", "running -> stopping", "stop tree",
                   "stopping -> stopped", "settled"}));
}

TEST_F(Driver, WhatComesWhileItSettlesIsABurstOfItsOwn) {
  begin();
  during_["settled"] = [this] { driver_->handle({EventType::kReady}); };
  EXPECT_EQ(after({EventType::kStart}),
            (Steps{"stopped -> starting", "spawn", "settled", "starting -> running", "settled"}));
}

TEST_F(Driver, AsksForLeftoversOnlyWhereTheyMatter) {
  const State all[] = {State::kStopped,  State::kStarting, State::kRunning,
                       State::kStopping, State::kBackoff,  State::kFailed};
  const struct {
    EventType type;
    const char* what;
    std::vector<State> asked_in;
  } cases[] = {
      {EventType::kStart, "start", {std::begin(all), std::end(all)}},
      {EventType::kStop, "stop", {std::begin(all), std::end(all)}},
      {EventType::kRestart, "restart", {std::begin(all), std::end(all)}},
      {EventType::kUnblocked, "unblocked", {std::begin(all), std::end(all)}},
      {EventType::kTimer, "timer", {State::kBackoff, State::kFailed}},
      {EventType::kReady, "ready", {}},
      {EventType::kPortTaken, "port taken", {}},
      {EventType::kSpawnFailed, "spawn failed", {}},
      {EventType::kExited, "exited", {}},
      {EventType::kTreeEmpty, "tree empty", {}},
  };
  for (const auto& [type, what, asked_in] : cases) {
    for (const State state : all) {
      begin_in(state);
      driver_->handle({type});
      const bool expected = std::count(asked_in.begin(), asked_in.end(), state) > 0;
      EXPECT_EQ(asked_, expected ? 1 : 0) << what << " in " << to_string(state);
    }
  }
}

TEST_F(Driver, LeftoversAreBroughtDownBeforeAnythingIsSpawned) {
  leftovers_ = true;
  begin();
  EXPECT_EQ(after({EventType::kStart}), (Steps{"stopped -> stopping", "stop tree", "settled"}));
  leftovers_ = false;
  begin_in(State::kBackoff);
  leftovers_ = true;
  schedule_.pass(seconds(2));
  EXPECT_EQ(done(), (Steps{"backoff -> stopping", "stop tree", "settled"}));
  leftovers_ = false;
  begin_in(State::kBackoff);
  schedule_.pass(seconds(2));
  EXPECT_EQ(done(), (Steps{"backoff -> starting", "count crash", "spawn", "settled"}));
}

TEST_F(Driver, AStepThatThrowsKeepsNoOtherFromBeingDoneAndIsToldByName) {
  const auto boom = [] { throw std::runtime_error("boom"); };
  begin();
  during_["stopped -> starting"] = boom;
  EXPECT_EQ(after({EventType::kStart}),
            (Steps{"stopped -> starting", "entered failed: boom", "spawn", "settled"}));
  driver_->handle({EventType::kReady});
  during_["stop tree"] = boom;
  EXPECT_EQ(after({EventType::kExited, Cause::kCrash}),
            (Steps{"running -> stopping", "stop tree", "action failed: boom", "settled"}));
  during_["count crash"] = boom;
  EXPECT_EQ(after({EventType::kTreeEmpty}),
            (Steps{"stopping -> starting", "count crash", "action failed: boom", "spawn", "settled"}));
  driver_->handle({EventType::kStop});
  during_["kill tree"] = boom;
  done();
  schedule_.pass(seconds(2));
  EXPECT_EQ(done(), (Steps{"kill tree", "action failed: boom", "settled"}));
  EXPECT_EQ(schedule_.due_in("state"), seconds(1)) << "and is tried again";
}

TEST_F(Driver, TheStepThatSpawnsOrAdoptsIsTheStart) {
  const auto boom = [] { throw std::runtime_error("boom"); };
  EXPECT_EQ(LifecycleDriver::kStartStep, "start");
  begin();
  during_["spawn"] = boom;
  EXPECT_EQ(after({EventType::kStart}),
            (Steps{"stopped -> starting", "spawn", "start failed: boom", "settled"}));
  EXPECT_EQ(schedule_.due_in("state"), seconds(60)) << "its timer is armed all the same";
  begin();
  during_["adopt"] = boom;
  Event adoptable{EventType::kStart};
  adoptable.adoptable = true;
  EXPECT_EQ(after(adoptable), (Steps{"stopped -> starting", "adopt", "start failed: boom", "settled"}));
}

TEST_F(Driver, AfterAFailureTheNextEventIsHandled) {
  begin();
  during_["spawn"] = [this] {
    driver_->handle({EventType::kSpawnFailed, Cause::kExecError});
    throw std::runtime_error("boom");
  };
  EXPECT_EQ(after({EventType::kStart}),
            (Steps{"stopped -> starting", "spawn", "start failed: boom", "starting -> failed", "settled"}));
  EXPECT_EQ(after({EventType::kStop}), (Steps{"failed -> stopped", "settled"}));
}

TEST_F(Driver, TheTimerOfAStateGoesOffInThatStateAlone) {
  begin();
  driver_->handle({EventType::kStart});
  done();
  schedule_.pass(seconds(60) - milliseconds(1));
  EXPECT_EQ(done(), Steps{}) << "the start has its time";
  schedule_.pass(milliseconds(1));
  EXPECT_EQ(done(), (Steps{"starting -> stopping", "stop tree", "settled"}));
  schedule_.pass(seconds(2) - milliseconds(1));
  EXPECT_EQ(done(), Steps{}) << "the stop has its grace";
  schedule_.pass(milliseconds(1));
  EXPECT_EQ(done(), (Steps{"kill tree", "settled"}));
  schedule_.pass(seconds(1));
  EXPECT_EQ(done(), (Steps{"kill tree", "settled"})) << "again after a second";

  begin_in(State::kRunning);
  EXPECT_EQ(schedule_.due_in("state"), std::nullopt) << "what runs, runs";
  driver_->handle({EventType::kStop});
  driver_->handle({EventType::kTreeEmpty});
  EXPECT_EQ(schedule_.due_in("state"), std::nullopt);
}

TEST_F(Driver, KnowsWhetherAnOperatorHasGivenACommand) {
  Event resumed{EventType::kStart};
  resumed.resumed = true;
  const struct {
    Event event;
    bool commanded;
    const char* what;
  } cases[] = {
      {{EventType::kStart}, true, "start"},
      {resumed, false, "a start that nobody waits for"},
      {{EventType::kStop}, true, "stop"},
      {{EventType::kRestart, Cause::kRestartCommand}, true, "restart"},
      {{EventType::kRestart, Cause::kHang}, false, "the agent's own restart"},
      {{EventType::kExited, Cause::kCrash}, false, "an end"},
      {{EventType::kTimer}, false, "the timer"},
      {{EventType::kUnblocked}, false, "what was waited for"},
  };
  for (const auto& [event, commanded, what] : cases) {
    begin();
    EXPECT_FALSE(driver_->commanded());
    driver_->handle(event);
    EXPECT_EQ(driver_->commanded(), commanded) << what;
    driver_->handle({EventType::kReady});
    EXPECT_EQ(driver_->commanded(), commanded) << "for good: " << what;
  }
}

}  // namespace
}  // namespace codex
