#include "agent/policy/lifecycle.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <sstream>

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// An end that nobody asked for, as diagnosed.
Event ended(Cause cause, Await await = Await::kNone) {
  return {EventType::kExited, cause, await};
}

Event with_leftovers(EventType type, bool alive = true) {
  Event event{type};
  event.leftovers = alive;
  return event;
}

/// A Lifecycle with a clock that tests move.
struct Life {
  explicit Life(LifecycleConfig config = {}) : lifecycle(config, 1) {}

  std::vector<Action> on(Event event) { return last = lifecycle.on(event, now); }
  bool asked(ActionType type) const {
    return std::any_of(last.begin(), last.end(), [&](const Action& action) { return action.type == type; });
  }
  TimePoint timer() const {
    for (const auto& action : last) {
      if (action.type == ActionType::kArmTimer) return action.at;
    }
    return {};
  }
  void run_it() {
    on({EventType::kStart});
    on({EventType::kReady});
    now += seconds(60);
  }

  Lifecycle lifecycle;
  TimePoint now{seconds(1000)};
  std::vector<Action> last;
};

TEST(Lifecycle, StartSpawnsAndArmsTheStartTimeout) {
  Life life;
  life.on({EventType::kStart});
  EXPECT_EQ(life.lifecycle.state(), State::kStarting);
  EXPECT_TRUE(life.asked(ActionType::kSpawn));
  EXPECT_EQ(life.timer(), life.now + seconds(60));
}

TEST(Lifecycle, AStartThatLacksDescriptorsIsTriedForEverAndCountsForNothing) {
  Life life;
  life.on({EventType::kStart});
  Event event{EventType::kSpawnFailed, Cause::kExecError};
  event.shortage = true;
  life.on(event);
  EXPECT_EQ(life.lifecycle.state(), State::kStarting) << "the first time again at once";
  for (int i = 0; i < 30; ++i) {
    life.on(event);
    ASSERT_EQ(life.lifecycle.state(), State::kBackoff);
    ASSERT_LE(life.timer(), life.now + seconds(30));
    life.now = life.timer();
    life.on({EventType::kTimer});
    ASSERT_EQ(life.lifecycle.state(), State::kStarting);
  }
  EXPECT_EQ(life.lifecycle.budget().remaining(life.now), RestartConfig{}.start_limit);
  life.on({EventType::kReady});
  EXPECT_EQ(life.lifecycle.state(), State::kRunning);
}

TEST(Lifecycle, LeftoversAreStoppedBeforeTheFirstSpawn) {
  Life life;
  life.on(with_leftovers(EventType::kStart));
  EXPECT_EQ(life.lifecycle.state(), State::kStopping);
  EXPECT_TRUE(life.asked(ActionType::kStopTree));
  EXPECT_FALSE(life.asked(ActionType::kSpawn));
  life.on({EventType::kTreeEmpty});
  EXPECT_TRUE(life.asked(ActionType::kSpawn));
}

TEST(Lifecycle, AStopTakesLeftoversDown) {
  Life life;
  life.on(with_leftovers(EventType::kStop));
  EXPECT_EQ(life.lifecycle.state(), State::kStopping);
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kStopped);
  EXPECT_FALSE(life.asked(ActionType::kSpawn));
}

TEST(Lifecycle, FirstCrashOfAStableBackendRestartsWithoutDelay) {
  Life life;
  life.run_it();
  life.on(ended(Cause::kCrash));
  EXPECT_EQ(life.lifecycle.state(), State::kStopping);
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kStarting);
  EXPECT_TRUE(life.asked(ActionType::kSpawn));
  ASSERT_TRUE(life.asked(ActionType::kCountRestart));
}

TEST(Lifecycle, CrashLoopBacksOffThenFailsThenRetriesSlowly) {
  LifecycleConfig config;
  config.restart.start_limit = 3;
  Life life(config);
  life.on({EventType::kStart});
  std::vector<Duration> delays;
  while (life.lifecycle.state() != State::kFailed) {
    ASSERT_LT(delays.size(), 10U);
    ASSERT_EQ(life.lifecycle.state(), State::kStarting);
    life.on(ended(Cause::kCrash));
    life.on({EventType::kTreeEmpty});
    if (life.lifecycle.state() == State::kBackoff) {
      delays.push_back(life.lifecycle.backoff_delay());
      life.now += life.lifecycle.backoff_delay();
      life.on({EventType::kTimer});
    } else {
      delays.push_back(Duration{0});
    }
  }
  EXPECT_EQ(life.lifecycle.cause(), Cause::kStartLimit);
  ASSERT_EQ(delays.size(), 4U);
  EXPECT_EQ(delays[0], Duration{0});
  EXPECT_NEAR(to_seconds(delays[1]), 1, .11);
  EXPECT_NEAR(to_seconds(delays[2]), 2, .21);
  ASSERT_TRUE(life.lifecycle.next_attempt());
  EXPECT_EQ(*life.lifecycle.next_attempt(), life.now + std::chrono::minutes(5));
  life.now += std::chrono::minutes(5);
  life.on({EventType::kTimer});
  EXPECT_TRUE(life.asked(ActionType::kSpawn));
  life.on(ended(Cause::kCrash));
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kFailed) << "a slow retry is one attempt";
}

TEST(Lifecycle, StartTimeoutOfACommandedStartFails) {
  Life life;
  life.on({EventType::kStart});
  life.on({EventType::kTimer});
  EXPECT_TRUE(life.asked(ActionType::kStopTree));
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kFailed);
  EXPECT_EQ(life.lifecycle.cause(), Cause::kStartTimeout);
}

TEST(Lifecycle, StartTimeoutOfAnAutomaticRestartBacksOff) {
  Life life;
  life.run_it();
  life.on(ended(Cause::kCrash));
  life.on({EventType::kTreeEmpty});
  life.on({EventType::kTimer});
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kBackoff);
}

TEST(Lifecycle, RefusedStartIsNotRetriedBehindTheOperatorsBack) {
  Life life;
  life.on({EventType::kStart});
  life.on({EventType::kPortTaken});
  EXPECT_EQ(life.lifecycle.state(), State::kFailed);
  EXPECT_EQ(life.lifecycle.cause(), Cause::kPortTaken);
  EXPECT_FALSE(life.lifecycle.desired_running());
  EXPECT_FALSE(life.lifecycle.next_attempt());
}

TEST(Lifecycle, GraceThenKillThenKillAgain) {
  Life life;
  life.run_it();
  life.on({EventType::kStop});
  EXPECT_EQ(life.timer(), life.now + seconds(2));
  life.on({EventType::kTimer});
  EXPECT_TRUE(life.asked(ActionType::kKillTree));
  EXPECT_EQ(life.lifecycle.state(), State::kStopping);
  life.on({EventType::kTimer});
  EXPECT_TRUE(life.asked(ActionType::kKillTree));
  EXPECT_EQ(life.lifecycle.state(), State::kStopping) << "an unkillable process is never given up on";
}

TEST(Lifecycle, StopDuringBackoffWins) {
  LifecycleConfig config;
  config.restart.initial_delay = seconds(1);
  Life life(config);
  life.run_it();
  life.on(ended(Cause::kCrash));
  life.on({EventType::kTreeEmpty});
  ASSERT_EQ(life.lifecycle.state(), State::kBackoff);
  life.on({EventType::kStop});
  EXPECT_EQ(life.lifecycle.state(), State::kStopped);
  EXPECT_TRUE(life.asked(ActionType::kDisarmTimer));
  life.on({EventType::kTimer});
  EXPECT_FALSE(life.asked(ActionType::kSpawn));
}

TEST(Lifecycle, OnFailurePolicyLeavesACleanExitStopped) {
  LifecycleConfig config;
  config.restart.policy = RestartPolicy::kOnFailure;
  Life life(config);
  life.run_it();
  life.on(ended(Cause::kExit));
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kStopped);
  EXPECT_FALSE(life.lifecycle.desired_running());
}

TEST(Lifecycle, NeverPolicyFailsWithoutRetry) {
  LifecycleConfig config;
  config.restart.policy = RestartPolicy::kNever;
  Life life(config);
  life.run_it();
  life.on(ended(Cause::kCrash));
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kFailed);
  EXPECT_FALSE(life.lifecycle.next_attempt());
}

// Exhaustive exploration: a Lifecycle in a small model of the world, every order of events until no new
// situation appears.

/// What the Lifecycle acts upon. A timer fires, a process exits or a tree becomes empty whenever it can.
struct World {
  Lifecycle lifecycle;
  TimePoint now{seconds(1000)};
  bool leader = false;  ///< the leader of the newest generation lives
  bool others = false;  ///< other members live
  bool timer = false;
  TimePoint due{};
  bool stop_asked = false;          ///< a stop protocol is under way, so an empty tree will be reported
  bool killing = false;             ///< SIGKILL was asked for, and the tree has not become empty since
  bool spawn_pending = false;       ///< the outcome of a spawn has not been reported yet
  bool stopped_by_operator = true;  ///< the last command was a stop
  std::string violation;

  bool inherited = false;  ///< an earlier agent's processes still live, and nobody has dealt with them

  explicit World(const LifecycleConfig& config, bool leftovers = false)
      : lifecycle(config, 1), leader(leftovers), others(leftovers), inherited(leftovers) {}

  bool alive() const { return leader || others; }

  void apply(const Event& event) {
    if (event.type == EventType::kTreeEmpty) killing = false;
    const auto actions = lifecycle.on(event, now);
    if (lifecycle.state() != State::kStopped || !alive()) inherited = false;
    for (const auto& action : actions) {
      switch (action.type) {
        case ActionType::kSpawn:
          if (alive()) violation = "spawned while a process of the last generation lives";
          if (stopped_by_operator) violation = "spawned after a stop";
          if (lifecycle.state() != State::kStarting) violation = "spawned outside starting";
          leader = spawn_pending = true;
          break;
        case ActionType::kAdopt:
          if (!alive()) violation = "adopted nothing";
          leader = spawn_pending = true;
          break;
        case ActionType::kStopTree:
          stop_asked = true;
          spawn_pending = false;
          break;
        case ActionType::kKillTree:
          if (!stop_asked) violation = "killed without a stop";
          killing = true;
          break;
        case ActionType::kArmTimer:
          timer = true;
          due = action.at;
          break;
        case ActionType::kDisarmTimer:
          timer = false;
          break;
        case ActionType::kCountRestart:
          break;
      }
    }
    const State state = lifecycle.state();
    const bool resting = state == State::kStopped || state == State::kBackoff || state == State::kFailed;
    if (resting && alive() && !inherited) violation = "rests while processes live";
    if (state == State::kStopped && lifecycle.desired_running())
      violation = "stopped although running is wanted";
    if (state == State::kStopping && !stop_asked) violation = "stopping without a stop protocol";
    const bool awaits = lifecycle.awaiting() != Await::kNone;
    if ((state == State::kStarting || state == State::kStopping || (state == State::kBackoff && !awaits)) &&
        !timer) {
      violation = "waits without a timer";
    }
    if (awaits && !resting) violation = "awaits something in " + std::string(to_string(state));
    if (awaits && !lifecycle.desired_running()) violation = "awaits a start that nobody wants";
    if (killing && state != State::kStopping) violation = "stopped killing";
  }

  std::string key() const {
    std::ostringstream text;
    text << to_string(lifecycle.state()) << ' ' << to_string(lifecycle.cause()) << lifecycle.desired_running()
         << killing << leader << others << timer << stop_asked << spawn_pending << stopped_by_operator
         << inherited << ' ' << (lifecycle.next_attempt() ? 1 : 0)
         << (lifecycle.backoff_delay() > Duration{0}) << to_string(lifecycle.awaiting());
    return text.str();
  }
};

Cause cause_of(Await await) {
  switch (await) {
    case Await::kNone:
      return Cause::kCrash;
    case Await::kChange:
      return Cause::kSyntaxError;
    case Await::kDatabase:
      return Cause::kDatabaseRefused;
    case Await::kPort:
      return Cause::kPortTaken;
  }
  return Cause::kCrash;
}

using Step = std::pair<std::string, std::function<void(World&)>>;

/// Everything that can happen in `world` now.
std::vector<Step> possible(const World& world) {
  std::vector<Step> steps;
  const auto add = [&](std::string name, std::function<void(World&)> apply) {
    steps.emplace_back(std::move(name), std::move(apply));
  };
  add("start", [](World& w) {
    w.stopped_by_operator = false;
    w.apply(with_leftovers(EventType::kStart, w.alive()));
  });
  if (world.alive() && world.lifecycle.state() == State::kStopped) {
    add("start, adopting", [](World& w) {
      w.stopped_by_operator = false;
      Event event = with_leftovers(EventType::kStart);
      event.adoptable = true;
      w.apply(event);
    });
  }
  add("stop", [](World& w) {
    w.stopped_by_operator = true;
    w.apply(with_leftovers(EventType::kStop, w.alive()));
  });
  add("restart", [](World& w) {
    w.stopped_by_operator = false;
    w.apply(with_leftovers(EventType::kRestart, w.alive()));
  });
  add("probe failure", [](World& w) { w.apply({EventType::kRestart, Cause::kProbeFailure}); });
  if (world.timer) {
    add("timer", [](World& w) {
      w.now = std::max(w.now, w.due);
      w.timer = false;
      w.apply({EventType::kTimer});
    });
  }
  if (world.leader && !world.others) add("fork", [](World& w) { w.others = true; });
  if (world.others) add("others end", [](World& w) { w.others = false; });
  if (world.leader) {
    for (const Cause cause : {Cause::kExit, Cause::kCrash}) {
      add("leader ends", [cause](World& w) {
        w.leader = w.spawn_pending = false;
        w.apply(ended(cause));
      });
    }
    for (const Await await : {Await::kChange, Await::kDatabase, Await::kPort}) {
      add("leader ends, " + std::string(to_string(await)) + " would help", [await](World& w) {
        w.leader = w.spawn_pending = false;
        w.apply(ended(cause_of(await), await));
      });
    }
    // nodemon lives on: the leader is there, the application is not.
    add("application ends", [](World& w) { w.apply(ended(Cause::kWrapperIdle)); });
  }
  if (world.spawn_pending) {
    add("ready", [](World& w) {
      w.spawn_pending = false;
      w.apply({EventType::kReady});
    });
    add("exec fails", [](World& w) {
      w.leader = w.spawn_pending = false;
      if (!w.others) w.apply({EventType::kSpawnFailed, Cause::kExecError});
    });
    add("fork fails", [](World& w) {
      w.leader = w.spawn_pending = false;
      Event event{EventType::kSpawnFailed, Cause::kExecError};
      event.transient = true;
      if (!w.others) w.apply(event);
    });
    add("no descriptors", [](World& w) {
      w.leader = w.spawn_pending = false;
      Event event{EventType::kSpawnFailed, Cause::kExecError};
      event.shortage = true;
      if (!w.others) w.apply(event);
    });
    add("port taken", [](World& w) {
      w.leader = w.spawn_pending = false;
      if (!w.others) w.apply({EventType::kPortTaken});
    });
  }
  if (world.stop_asked && !world.alive()) {
    add("tree empty", [](World& w) {
      w.stop_asked = false;
      w.apply({EventType::kTreeEmpty});
    });
  }
  add("unblocked", [](World& w) { w.apply(with_leftovers(EventType::kUnblocked, w.alive())); });
  add("time passes", [](World& w) { w.now += seconds(20); });
  return steps;
}

struct Exploration {
  std::size_t situations = 0;
  std::string violation, path;
  std::set<std::string> states;
};

/// Breadth first to the fixpoint over World::key(), which forgets the clock; `mistake` may damage each step.
Exploration explore(const LifecycleConfig& config,
                    const std::function<void(World&, const World&)>& mistake = {}, bool leftovers = false) {
  Exploration result;
  std::map<std::string, int> visits;
  std::vector<std::pair<World, std::string>> frontier{{World(config, leftovers), ""}};
  constexpr int kVisits = 6;  // the clock and the budget are not in the key: see each situation several times
  while (!frontier.empty() && result.violation.empty()) {
    std::vector<std::pair<World, std::string>> next;
    for (const auto& [world, path] : frontier) {
      for (const auto& [name, apply] : possible(world)) {
        World after = world;
        apply(after);
        if (mistake) mistake(after, world);
        if (!after.violation.empty()) {
          result.violation = after.violation;
          result.path = path + name;
          return result;
        }
        if (++visits[after.key()] > kVisits) continue;
        result.states.insert(std::string(to_string(after.lifecycle.state())));
        next.emplace_back(std::move(after), path + name + ", ");
      }
    }
    frontier = std::move(next);
  }
  result.situations = visits.size();
  return result;
}

LifecycleConfig quick_to_fail(RestartPolicy policy) {
  LifecycleConfig config;
  config.restart.policy = policy;
  config.restart.start_limit = 2;
  return config;
}

TEST(LifecycleExploration, InvariantsHoldInEveryReachableSituation) {
  for (const auto policy : {RestartPolicy::kAlways, RestartPolicy::kOnFailure, RestartPolicy::kNever}) {
    const auto result = explore(quick_to_fail(policy));
    EXPECT_EQ(result.violation, "") << "after: " << result.path;
    EXPECT_GT(result.situations, 40U);
    // Without automatic restarts there is nothing to back off from but a failed fork.
    EXPECT_EQ(result.states.size(), 6U) << "some state was never reached";
  }
}

TEST(LifecycleExploration, InvariantsHoldWhenAnEarlierAgentLeftProcesses) {
  const auto result = explore(quick_to_fail(RestartPolicy::kAlways), {}, true);
  EXPECT_EQ(result.violation, "") << "after: " << result.path;
  EXPECT_EQ(result.states.size(), 6U);
}

TEST(LifecycleExploration, FromEverySituationAStopIsFinalAndAnUndisturbedWorldComesToRest) {
  // Follow each command from a random walk: stop, then let everything that can end end.
  std::mt19937 random(7);
  for (int walk = 0; walk < 2000; ++walk) {
    World world(quick_to_fail(RestartPolicy::kAlways));
    for (int i = 0; i < 12; ++i) {
      const auto steps = possible(world);
      steps[random() % steps.size()].second(world);
      ASSERT_EQ(world.violation, "");
    }
    world.stopped_by_operator = true;
    world.apply({EventType::kStop});
    for (int i = 0; i < 10 && world.lifecycle.state() != State::kStopped; ++i) {
      world.others = false;
      if (world.leader) {
        world.leader = world.spawn_pending = false;
        world.apply(ended(Cause::kCrash));
      }
      if (world.stop_asked) {
        world.stop_asked = false;
        world.apply({EventType::kTreeEmpty});
      }
    }
    ASSERT_EQ(world.lifecycle.state(), State::kStopped);
    ASSERT_EQ(world.violation, "");
  }
}

TEST(LifecycleExploration, CatchesASpawnBeforeTheTreeIsEmpty) {
  const auto result = explore(quick_to_fail(RestartPolicy::kAlways), [](World& after, const World& before) {
    // The seeded mistake: the exit of the leader is taken for the end of the tree.
    if (before.leader && !after.leader && after.stop_asked) {
      after.stop_asked = false;
      after.apply({EventType::kTreeEmpty});
    }
  });
  EXPECT_NE(result.violation, "");
}

TEST(LifecycleExploration, CatchesAStopThatIsLostInBackoff) {
  const auto result = explore(quick_to_fail(RestartPolicy::kAlways), [](World& after, const World& before) {
    // The seeded mistake: a stop during backoff leaves the timer armed and the state unchanged.
    if (before.lifecycle.state() == State::kBackoff && after.lifecycle.state() == State::kStopped) {
      const bool stopped = after.stopped_by_operator;
      after = before;
      after.stopped_by_operator = stopped;
    }
  });
  EXPECT_NE(result.violation, "");
}

/// Most starts within any `window` of ten minutes in which each start ends at once by `cause`, and what it
/// waits for comes at once.
std::size_t most_starts(const LifecycleConfig& config, Cause cause, Await await, Duration window) {
  Life life(config);
  life.run_it();
  std::vector<TimePoint> starts;
  const TimePoint end = life.now + std::chrono::minutes(10);
  TimePoint timer{};
  const auto apply = [&](const Event& event) {
    life.on(event);
    if (life.asked(ActionType::kSpawn)) starts.push_back(life.now);
    if (life.timer() != TimePoint{}) timer = life.timer();
  };
  while (life.now < end && starts.size() < 10000) {
    switch (life.lifecycle.state()) {
      case State::kStarting:
      case State::kRunning:
        apply(ended(cause, await));
        break;
      case State::kStopping:
        apply({EventType::kTreeEmpty});
        break;
      case State::kBackoff:
      case State::kFailed:
        if (life.lifecycle.awaiting() != Await::kNone) {
          apply({EventType::kUnblocked});
        } else {
          life.now = std::max(life.now, timer);
          apply({EventType::kTimer});
        }
        break;
      case State::kStopped:
        life.now = end;
        break;
    }
  }
  std::size_t most = 0;
  for (std::size_t first = 0, last = 0; last < starts.size(); ++last) {
    while (starts[last] - starts[first] >= window) ++first;
    most = std::max(most, last - first + 1);
  }
  return most;
}

TEST(LifecycleBudget, NoEndIsRepeatedMoreOftenThanTheStartLimitAllows) {
  LifecycleConfig config;
  config.restart.start_limit = 3;
  config.restart.start_limit_interval = seconds(60);
  EXPECT_EQ(most_starts(config, Cause::kCrash, Await::kNone, seconds(60)), 3U);
  // One more than the limit: the slow retry, when what it lacks seems to be there.
  EXPECT_EQ(most_starts(config, Cause::kDatabaseRefused, Await::kDatabase, seconds(60)), 4U);
  EXPECT_EQ(most_starts(config, Cause::kPortTaken, Await::kPort, seconds(60)), 4U);
  // Who edits again and again is not stopped, but a build that touches its own files is slowed down.
  EXPECT_LE(most_starts(config, Cause::kSyntaxError, Await::kChange, seconds(60)), 7U);
}

TEST(LifecycleBudget, CatchesARetryWithoutBudget) {
  LifecycleConfig config;
  config.restart.max_delay = Duration{0};  // The seeded mistake: neither a delay nor a limit.
  config.restart.start_limit = 1 << 20;
  EXPECT_GT(most_starts(config, Cause::kCrash, Await::kNone, seconds(60)), 3U);
}

TEST(Lifecycle, AMissingModuleIsRetriedWhenAFileChanges) {
  Life life;
  life.run_it();
  life.on(ended(Cause::kModuleNotFound, Await::kChange));
  EXPECT_EQ(life.lifecycle.state(), State::kStopping);
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kFailed);
  EXPECT_EQ(life.lifecycle.cause(), Cause::kModuleNotFound);
  EXPECT_EQ(life.lifecycle.awaiting(), Await::kChange);
  EXPECT_TRUE(life.lifecycle.desired_running());
  life.now += std::chrono::minutes(1);
  life.on({EventType::kUnblocked});
  EXPECT_EQ(life.lifecycle.state(), State::kStarting);
  EXPECT_TRUE(life.asked(ActionType::kSpawn));
  EXPECT_TRUE(life.asked(ActionType::kCountRestart));
}

TEST(Lifecycle, EveryWaitHasItsSlowRetry) {
  for (const Await await : {Await::kChange, Await::kDatabase, Await::kPort}) {
    for (const Cause cause :
         {Cause::kModuleNotFound, Cause::kSyntaxError, Cause::kDatabaseRefused, Cause::kPortTaken}) {
      Life life;
      life.run_it();
      // The retry fails in the same way, so that it is one of many.
      for (int i = 0; i < 3; ++i) {
        life.on(ended(cause, await));
        life.on({EventType::kTreeEmpty});
        ASSERT_EQ(life.lifecycle.awaiting(), await);
        ASSERT_EQ(life.lifecycle.next_attempt(), life.now + std::chrono::minutes(5));
        ASSERT_EQ(life.timer(), life.now + std::chrono::minutes(5));
        life.now += std::chrono::minutes(5);
        life.on({EventType::kTimer});
        ASSERT_TRUE(life.asked(ActionType::kSpawn));
      }
    }
  }
}

TEST(Lifecycle, WithoutARetryIntervalAMissingModuleWaitsForAnEditAlone) {
  LifecycleConfig config;
  config.restart.retry_interval = Duration{0};
  Life life(config);
  life.run_it();
  life.on(ended(Cause::kModuleNotFound, Await::kChange));
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.awaiting(), Await::kChange);
  EXPECT_FALSE(life.lifecycle.next_attempt());
}

TEST(Lifecycle, ARefusedDatabaseIsWaitedForWithASlowRetry) {
  Life life;
  life.run_it();
  life.on(ended(Cause::kDatabaseRefused, Await::kDatabase));
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kBackoff);
  EXPECT_EQ(life.lifecycle.awaiting(), Await::kDatabase);
  EXPECT_EQ(life.timer(), life.now + std::chrono::minutes(5));
  life.now += seconds(30);
  life.on({EventType::kUnblocked});
  EXPECT_EQ(life.lifecycle.state(), State::kStarting);
}

TEST(Lifecycle, WhatComesTooSoonStillWaitsForTheDelay) {
  Life life;
  life.run_it();
  for (int i = 0; i < 2; ++i) {
    life.on(ended(Cause::kDatabaseRefused, Await::kDatabase));
    life.on({EventType::kTreeEmpty});
    if (i == 0) life.on({EventType::kUnblocked});
  }
  ASSERT_EQ(life.lifecycle.awaiting(), Await::kDatabase);
  life.on({EventType::kUnblocked});
  EXPECT_EQ(life.lifecycle.state(), State::kBackoff);
  EXPECT_EQ(life.lifecycle.awaiting(), Await::kNone);
  EXPECT_NEAR(to_seconds(life.timer() - life.now), 1, .11);
  life.on({EventType::kTimer});
  EXPECT_TRUE(life.asked(ActionType::kSpawn));
}

TEST(Lifecycle, AnAutomaticStartThatFindsThePortTakenWaitsForItsRelease) {
  Life life;
  life.run_it();
  life.on(ended(Cause::kCrash));
  life.on({EventType::kTreeEmpty});
  life.on({EventType::kPortTaken});
  EXPECT_EQ(life.lifecycle.state(), State::kBackoff);
  EXPECT_EQ(life.lifecycle.awaiting(), Await::kPort);
  life.on({EventType::kUnblocked});
  EXPECT_TRUE(life.asked(ActionType::kSpawn));
}

TEST(Lifecycle, AnOperatorsStopEndsTheWaitForAnything) {
  for (const Await await : {Await::kChange, Await::kDatabase, Await::kPort}) {
    Life life;
    life.run_it();
    life.on(ended(cause_of(await), await));
    life.on({EventType::kTreeEmpty});
    ASSERT_EQ(life.lifecycle.awaiting(), await);
    life.on({EventType::kStop});
    EXPECT_EQ(life.lifecycle.state(), State::kStopped);
    EXPECT_EQ(life.lifecycle.awaiting(), Await::kNone);
    life.on({EventType::kUnblocked});
    EXPECT_FALSE(life.asked(ActionType::kSpawn));
  }
}

TEST(Lifecycle, NeverPolicyWaitsForNothing) {
  LifecycleConfig config;
  config.restart.policy = RestartPolicy::kNever;
  Life life(config);
  life.run_it();
  life.on(ended(Cause::kModuleNotFound, Await::kChange));
  life.on({EventType::kTreeEmpty});
  EXPECT_EQ(life.lifecycle.state(), State::kFailed);
  EXPECT_EQ(life.lifecycle.awaiting(), Await::kNone);
}

}  // namespace
}  // namespace codex
