#include "agent/supervision/startup_watch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/fake_schedule.h"
#include "tests/support/fake_tree.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Steps = std::vector<std::string>;

class Start : public ::testing::Test {
 protected:
  void add(ProbeKind kind, int success_threshold = 1) {
    ProbeSpec spec;
    spec.kind = kind;
    spec.name = to_string(kind);
    spec.success_threshold = success_threshold;
    config_.probes.push_back(spec);
    probes_.emplace_back(spec);
  }
  void add_port() {
    config_.port = 3000;
    tree_.port_seen = PortSnapshot{};
  }
  void make() {
    watch_.emplace(config_, probes_, schedule_, tree_,
                   StartupWatch::Events{.listens = [this] { told_.emplace_back("listens"); },
                                        .reachable = [this] { told_.emplace_back("reachable"); },
                                        .ready =
                                            [this] {
                                              told_.emplace_back("ready");
                                              watch_->end();
                                            },
                                        .followed = [this] { told_.emplace_back("followed"); }});
  }
  void begin(bool resumed = false) {
    make();
    watch_->begin(resumed);
  }
  /// With a port, an HTTP probe and a database.
  void begin_all(bool resumed = false) {
    add_port();
    add(ProbeKind::kHttp);
    add(ProbeKind::kDatabase);
    begin(resumed);
  }
  void answers(std::size_t probe, Outcome outcome, const std::string& detail = "") {
    ProbeResult result;
    result.outcome = outcome;
    result.detail = detail;
    if (outcome == Outcome::kFailure) result.reason = Reason::kRefused;
    probes_[probe].record(result, schedule_.now(), schedule_.wall_now());
  }
  void listens(bool ours = true) {
    tree_.port_seen->listening = true;
    tree_.port_seen->ours = ours;
  }
  Steps told() { return std::exchange(told_, {}); }
  Steps told_by_follow() {
    told_.clear();
    watch_->follow();
    return told();
  }
  [[nodiscard]] bool ready() const { return std::count(told_.begin(), told_.end(), "ready") > 0; }
  [[nodiscard]] Steps phases() const {
    Steps names;
    for (const auto& [name, took] : watch_->phases()) names.push_back(name);
    return names;
  }
  [[nodiscard]] std::string waiting_for() const {
    const auto phase = watch_->waiting_for();
    return phase ? std::string(to_string(*phase)) : "";
  }

  BackendConfig config_;
  std::vector<ProbeTracker> probes_;
  testing::FakeSchedule schedule_;
  testing::FakeTree tree_;
  Steps told_;
  std::optional<StartupWatch> watch_;
};

TEST_F(Start, HasThePhasesThatItsBackendHasConditionsFor) {
  for (int bits = 0; bits < 16; ++bits) {
    const bool port = bits & 1, port_probe = bits & 2, http = bits & 4, database = bits & 8;
    config_ = {};
    probes_.clear();
    tree_.port_seen.reset();
    told();
    Steps expected{"spawn"};
    if (port) add_port();
    if (port_probe) add(ProbeKind::kPort);
    if (http) add(ProbeKind::kHttp);
    if (database) add(ProbeKind::kDatabase);
    if (port) expected.emplace_back("listen");
    if (database) expected.emplace_back("database");
    if (port_probe || http) expected.emplace_back("respond");
    begin();
    EXPECT_EQ(waiting_for(), "spawn");
    EXPECT_EQ(phases(), Steps{});
    if (port) listens();
    for (std::size_t i = 0; i < probes_.size(); ++i) answers(i, Outcome::kSuccess);
    watch_->follow();
    EXPECT_FALSE(ready()) << "not before it was executed: " << bits;
    watch_->executed();
    EXPECT_TRUE(ready()) << bits;
    EXPECT_EQ(phases(), expected) << bits;
    EXPECT_EQ(waiting_for(), "") << bits;
  }
}

TEST_F(Start, WaitsForOnePhaseAfterTheOther) {
  begin_all();
  schedule_.pass(milliseconds(10));
  watch_->executed();
  EXPECT_EQ(waiting_for(), "listen");
  schedule_.pass(milliseconds(90));
  listens();
  watch_->follow();
  EXPECT_EQ(waiting_for(), "database");
  schedule_.pass(milliseconds(400));
  answers(1, Outcome::kSuccess);
  watch_->follow();
  EXPECT_EQ(waiting_for(), "respond");
  EXPECT_FALSE(ready());
  StartupSnapshot snapshot;
  watch_->fill(snapshot);
  EXPECT_EQ(snapshot.waiting_for, "respond");
  EXPECT_EQ(snapshot.progress.size(), 3U);
  schedule_.pass(milliseconds(500));
  answers(0, Outcome::kSuccess);
  watch_->follow();
  EXPECT_TRUE(ready());
  const std::vector<std::pair<std::string, double>> expected{
      {"spawn", 0.01}, {"listen", 0.09}, {"database", 0.4}, {"respond", 0.5}};
  EXPECT_EQ(watch_->phases(), expected);
  EXPECT_EQ(watch_->elapsed(), seconds(1));
}

TEST_F(Start, EveryProbeOfAPhaseHasToSucceedAsOftenAsItsThreshold) {
  add(ProbeKind::kHttp, 2);
  add(ProbeKind::kPort);
  begin();
  watch_->executed();
  answers(0, Outcome::kSuccess);
  answers(1, Outcome::kSuccess);
  EXPECT_EQ(told_by_follow(), (Steps{"reachable", "followed"})) << "one success of two";
  answers(0, Outcome::kSuccess);
  answers(1, Outcome::kFailure);
  EXPECT_EQ(told_by_follow(), (Steps{"reachable", "followed"})) << "one probe of two";
  answers(1, Outcome::kSuccess);
  EXPECT_EQ(told_by_follow(), (Steps{"reachable", "ready", "followed"}));
}

TEST_F(Start, AConditionThatIsUndoneHasToBeMetAgain) {
  begin_all();
  watch_->executed();
  answers(1, Outcome::kSuccess);
  listens();
  watch_->follow();
  EXPECT_EQ(waiting_for(), "respond");
  answers(1, Outcome::kFailure);
  answers(0, Outcome::kSuccess);
  watch_->follow();
  EXPECT_EQ(waiting_for(), "database") << "it has gone again";
  EXPECT_FALSE(ready());
  answers(1, Outcome::kSuccess);
  watch_->follow();
  EXPECT_TRUE(ready());
}

TEST_F(Start, LooksAtThePortLessOftenTheLongerItWaits) {
  begin_all();
  EXPECT_EQ(schedule_.due_in("listen"), milliseconds(5));
  const struct {
    Duration waited, due;
    int looks;
  } cases[] = {
      {milliseconds(1995), milliseconds(5), 399},    {seconds(2), milliseconds(20), 400},
      {milliseconds(9980), milliseconds(20), 799},   {seconds(10), milliseconds(100), 800},
      {milliseconds(10100), milliseconds(100), 801}, {seconds(60), milliseconds(100), 1300},
  };
  const TimePoint begun = schedule_.now();
  for (const auto& [waited, due, looks] : cases) {
    schedule_.pass(begun + waited - schedule_.now());
    EXPECT_EQ(schedule_.due_in("listen"), due) << to_seconds(waited);
    EXPECT_EQ(tree_.port_looks, looks) << to_seconds(waited);
  }
}

TEST_F(Start, WithoutAPortThereIsNothingToLookAt) {
  add(ProbeKind::kHttp);
  begin();
  EXPECT_EQ(schedule_.due_in("listen"), std::nullopt);
  watch_->executed();
  schedule_.pass(seconds(60));
  EXPECT_EQ(tree_.port_looks, 0);
}

TEST_F(Start, TellsThatItListensIsReachableIsReadyAndWasFollowed) {
  add_port();
  begin();
  watch_->executed();
  EXPECT_EQ(told(), Steps{"followed"}) << "nobody listens";
  listens(false);
  EXPECT_EQ(told_by_follow(), Steps{"followed"}) << "a stranger listens";
  EXPECT_EQ(waiting_for(), "listen");
  listens();
  EXPECT_EQ(told_by_follow(), (Steps{"listens", "reachable", "ready", "followed"}));
}

TEST_F(Start, APortThatIsOursIsNotLookedAtAgain) {
  begin_all();
  watch_->executed();
  listens();
  EXPECT_EQ(told_by_follow(), (Steps{"listens", "reachable", "followed"}));
  const int looks = tree_.port_looks;
  EXPECT_EQ(schedule_.due_in("listen"), std::nullopt);
  EXPECT_EQ(told_by_follow(), (Steps{"reachable", "followed"}));
  EXPECT_EQ(tree_.port_looks, looks);
}

TEST_F(Start, ThatListensBeforeItsExecWasSeenIsLookedAtUntilThen) {
  begin_all();
  listens();
  EXPECT_EQ(told_by_follow(), (Steps{"listens", "reachable", "followed"}));
  EXPECT_EQ(told_by_follow(), (Steps{"listens", "reachable", "followed"})) << "and told again";
  EXPECT_EQ(waiting_for(), "spawn");
  watch_->executed();
  EXPECT_EQ(waiting_for(), "database");
}

TEST_F(Start, APortThatCannotBeAskedSaysNothingAndIsAskedAgain) {
  add_port();
  begin();
  watch_->executed();
  told();
  tree_.port_can_be_asked = false;
  listens();
  EXPECT_EQ(told_by_follow(), Steps{}) << "what was seen last is not what is";
  EXPECT_EQ(schedule_.due_in("listen"), milliseconds(5));
  tree_.port_can_be_asked = true;
  schedule_.pass(milliseconds(5));
  EXPECT_EQ(told(), (Steps{"listens", "reachable", "ready", "followed"}));
}

TEST_F(Start, OfAResumedOneIsReadyAsSoonAsEachProbeHasMadeUpItsMind) {
  begin_all(true);
  watch_->executed();
  listens();
  answers(0, Outcome::kSuccess);
  watch_->follow();
  answers(1, Outcome::kFailure);
  answers(1, Outcome::kFailure);
  watch_->follow();
  EXPECT_FALSE(ready()) << "two failures of three";
  answers(1, Outcome::kFailure);
  EXPECT_EQ(told_by_follow(), (Steps{"reachable", "ready", "followed"})) << "its database is down";
}

TEST_F(Start, OfAnotherIsNotReadyWithoutItsDatabase) {
  begin_all();
  watch_->executed();
  listens();
  answers(0, Outcome::kSuccess);
  for (int i = 0; i < 3; ++i) answers(1, Outcome::kFailure);
  watch_->follow();
  schedule_.pass(seconds(60));
  EXPECT_FALSE(ready());
}

TEST_F(Start, OfAResumedOneIsReadyAfterASecondWhateverItsProbesSay) {
  begin_all(true);
  watch_->executed();
  listens();
  watch_->follow();
  EXPECT_EQ(schedule_.due_in("listen"), seconds(1));
  schedule_.pass(milliseconds(999));
  EXPECT_FALSE(ready());
  schedule_.pass(milliseconds(1));
  EXPECT_TRUE(ready());
}

TEST_F(Start, OfAResumedOneWithoutAPortIsReadyAfterASecond) {
  add(ProbeKind::kHttp);
  begin(true);
  watch_->executed();
  schedule_.pass(milliseconds(999));
  EXPECT_FALSE(ready());
  schedule_.pass(milliseconds(1));
  EXPECT_TRUE(ready());
}

TEST_F(Start, OfAResumedOneIsReadyAfterASecondAlsoIfItsPortIsNotOursOrCannotBeAsked) {
  add_port();
  add(ProbeKind::kHttp);
  for (const bool can_be_asked : {true, false}) {
    tree_.port_can_be_asked = can_be_asked;
    told();
    begin(true);
    watch_->executed();
    schedule_.pass(milliseconds(999));
    EXPECT_FALSE(ready()) << can_be_asked;
    schedule_.pass(milliseconds(1));
    EXPECT_TRUE(ready()) << can_be_asked;
  }
}

TEST_F(Start, ThatRanIntoItsTimeoutSaysWhatItWasWaitingFor) {
  config_.start_timeout = seconds(60);
  tree_.absence = "nothing listens on port 3000";
  begin_all();
  const std::string begins = "Server startup timeout after 60 s: it hung in phase ";
  EXPECT_EQ(watch_->describe_timeout(""),
            begins + "spawn (the command was not executed in time). Its processes were stopped.");
  watch_->executed();
  EXPECT_EQ(watch_->describe_timeout("does nothing"),
            begins + "listen (nothing listens on port 3000); it does nothing. Its processes were stopped.");
  listens();
  watch_->follow();
  EXPECT_EQ(watch_->describe_timeout(""),
            begins + "database (database: no answer yet). Its processes were stopped.");
  answers(1, Outcome::kFailure, "connection refused");
  EXPECT_EQ(watch_->describe_timeout(""),
            begins + "database (database: connection refused). Its processes were stopped.");
  answers(1, Outcome::kSuccess);
  answers(0, Outcome::kFailure, "GET / 503");
  watch_->follow();
  EXPECT_EQ(watch_->describe_timeout(""), begins + "respond (http: GET / 503). Its processes were stopped.");
  answers(0, Outcome::kSuccess);
  watch_->follow();
  EXPECT_EQ(watch_->describe_timeout(""), "Server startup timeout after 60 s") << "it waits for nothing";
}

TEST_F(Start, SaysNothingOnceItHasEnded) {
  begin_all();
  EXPECT_TRUE(watch_->under_way());
  watch_->executed();
  watch_->end();
  EXPECT_FALSE(watch_->under_way());
  told();
  const int looks = tree_.port_looks;
  listens();
  answers(0, Outcome::kSuccess);
  answers(1, Outcome::kSuccess);
  watch_->executed();
  watch_->follow();
  schedule_.pass(seconds(60));
  EXPECT_EQ(told(), Steps{});
  EXPECT_EQ(tree_.port_looks, looks);
  EXPECT_EQ(waiting_for(), "listen") << "but can still be asked how far it came";
  watch_->forget();
  EXPECT_EQ(waiting_for(), "");
  EXPECT_EQ(phases(), Steps{});
  EXPECT_EQ(watch_->elapsed(), Duration{0});
}

TEST_F(Start, ThatNeverBeganSaysNothing) {
  add_port();
  make();
  watch_->executed();
  watch_->follow();
  StartupSnapshot snapshot;
  watch_->fill(snapshot);
  EXPECT_EQ(told(), Steps{});
  EXPECT_EQ(snapshot.waiting_for, std::nullopt);
  EXPECT_EQ(watch_->elapsed(), Duration{0});
}

TEST_F(Start, BeginsAfreshEachTime) {
  begin_all();
  watch_->executed();
  schedule_.pass(seconds(30));
  watch_->forget();
  watch_->begin();
  EXPECT_EQ(waiting_for(), "spawn");
  EXPECT_EQ(schedule_.due_in("listen"), milliseconds(5));
}

}  // namespace
}  // namespace codex
