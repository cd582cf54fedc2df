#include "agent/supervision/resource_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <system_error>

#include "tests/support/fake_schedule.h"
#include "tests/support/fake_tree.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMebibyte = 1 << 20;
constexpr std::uint64_t kLimit = 512 * kMebibyte;
constexpr pid_t kNobody = 5'000'000;  ///< above any pid that Linux gives

std::system_error shortage() {
  return {EMFILE, std::system_category(), "open"};
}

ProcStat member(pid_t pid, const std::string& comm, std::uint64_t mebibytes) {
  ProcStat stat;
  stat.pid = pid;
  stat.comm = comm;
  stat.resident_pages = mebibytes * kMebibyte / static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return stat;
}

class Resources : public ::testing::Test {
 protected:
  Resources() { redactor_.add(Secret("hunter2secret")); }

  void begin(std::optional<std::uint64_t> limit = kLimit) {
    looks_.clear();
    reports_.clear();
    watch_.emplace(
        limit, lifecycle_, schedule_, tree_, troubles_, redactor_,
        ResourceWatch::Hands{.looked = [this](bool used) { looks_.push_back(used); },
                             .over_limit = [this](const Report& report) { reports_.push_back(report); }});
  }
  void run() {
    static_cast<void>(lifecycle_.on({EventType::kStart}, schedule_.now()));
    static_cast<void>(lifecycle_.on({EventType::kReady}, schedule_.now()));
  }
  void uses(std::uint64_t bytes) {
    tree_.usage_seen.resident_bytes = 4 * bytes;  // forked workers that share most of it
    tree_.usage_seen.used_memory = {bytes, MemorySource::kProportional};
  }
  [[nodiscard]] std::uint64_t warnings() const { return log_.counts().find("warning")->second; }

  Redactor redactor_;
  Logger log_{redactor_, nullptr};
  StandingTroubles troubles_{log_, redactor_, "api"};
  testing::FakeSchedule schedule_;
  testing::FakeTree tree_;
  Lifecycle lifecycle_{{}, 1};
  std::vector<bool> looks_;
  std::vector<Report> reports_;
  std::optional<ResourceWatch> watch_;
};

TEST_F(Resources, AreLookedAtOnceASecondWhileSomethingLives) {
  begin();
  watch_->look();
  EXPECT_EQ(tree_.samples, 1);
  schedule_.pass(milliseconds(999));
  EXPECT_EQ(tree_.samples, 1);
  schedule_.pass(milliseconds(1));
  EXPECT_EQ(tree_.samples, 2);
  schedule_.pass(seconds(60));
  EXPECT_EQ(tree_.samples, 62);
  EXPECT_EQ(looks_, std::vector<bool>(62, true));
}

TEST_F(Resources, AreNotLookedAtWhenNothingLives) {
  begin();
  watch_->look();
  tree_.alive = false;
  schedule_.pass(seconds(1));
  EXPECT_EQ(looks_, (std::vector<bool>{true, false})) << "the end is told, too";
  EXPECT_EQ(schedule_.due_in("sample"), std::nullopt);
  schedule_.pass(seconds(60));
  EXPECT_EQ(tree_.samples, 2);
}

TEST_F(Resources, AreLookedAtInTheNextTurnWhenTheyAreToBeSoon) {
  begin();
  watch_->look();
  watch_->look_soon();
  EXPECT_EQ(tree_.samples, 1) << "not from within";
  EXPECT_EQ(schedule_.due_in("sample"), Duration{0});
  schedule_.pass(Duration{0});
  EXPECT_EQ(tree_.samples, 2);
  EXPECT_EQ(schedule_.due_in("sample"), seconds(1)) << "and once a second from then on";
}

TEST_F(Resources, ALookThatFailsIsToldOnceAndDoesNotStopTheNext) {
  run();
  begin();
  uses(kLimit + 1);
  tree_.error = shortage();
  watch_->look();
  schedule_.pass(seconds(9));
  EXPECT_EQ(tree_.samples, 10);
  EXPECT_EQ(looks_, std::vector<bool>(10, false)) << "what it uses is unknown";
  EXPECT_EQ(warnings(), 1U);
  EXPECT_TRUE(reports_.empty()) << "nothing is said of a usage that nobody knows";
  tree_.error.reset();
  schedule_.pass(seconds(1));
  EXPECT_TRUE(looks_.back());
}

TEST_F(Resources, TheLimitIsExceededAfterFiveSecondsAboveItAndThenToldOnce) {
  run();
  const struct {
    std::uint64_t used;
    bool above;
  } cases[] = {{kLimit - 1, false}, {kLimit, false}, {kLimit + 1, true}};
  for (const auto& [used, above] : cases) {
    begin();
    uses(used);
    watch_->look();
    schedule_.pass(seconds(5) - milliseconds(1));
    EXPECT_TRUE(reports_.empty()) << used;
    schedule_.pass(milliseconds(1));
    ASSERT_EQ(reports_.size(), above ? 1U : 0U) << used;
    schedule_.pass(seconds(60));
    ASSERT_EQ(reports_.size(), above ? 1U : 0U) << used;
    if (!above) continue;
    EXPECT_EQ(reports_[0].event.type, EventType::kRestart);
    EXPECT_EQ(reports_[0].event.cause, Cause::kMemoryLimit);
  }
}

TEST_F(Resources, WithoutALimitNothingIsTooMuch) {
  run();
  begin(std::nullopt);
  uses(~std::uint64_t{0} / 4);
  watch_->look();
  schedule_.pass(seconds(60));
  EXPECT_TRUE(reports_.empty());
}

TEST_F(Resources, OneLookBelowTheLimitBeginsTheFiveSecondsAnew) {
  run();
  begin();
  uses(kLimit + 1);
  watch_->look();
  schedule_.pass(seconds(4));
  uses(kLimit);
  schedule_.pass(seconds(1));
  uses(kLimit + 1);
  schedule_.pass(seconds(5));
  EXPECT_TRUE(reports_.empty());
  schedule_.pass(seconds(1));
  EXPECT_EQ(reports_.size(), 1U);
}

TEST_F(Resources, OnlyARunningBackendIsHeldToItsLimit) {
  begin();
  uses(kLimit + 1);
  watch_->look();
  const auto on = [this](EventType type) { return lifecycle_.on({type}, schedule_.now()); };
  for (const EventType next : {EventType::kStop, EventType::kStart, EventType::kStop}) {
    schedule_.pass(seconds(10));
    EXPECT_TRUE(reports_.empty()) << to_string(lifecycle_.state());
    static_cast<void>(on(next));
  }
  ASSERT_EQ(lifecycle_.state(), State::kStopping);
  schedule_.pass(seconds(10));
  EXPECT_TRUE(reports_.empty()) << "it is brought down already";
  static_cast<void>(on(EventType::kTreeEmpty));
  run();
  schedule_.pass(seconds(5));
  EXPECT_TRUE(reports_.empty()) << "five seconds from the first look at it as it runs";
  schedule_.pass(seconds(1));
  EXPECT_EQ(reports_.size(), 1U);
}

TEST_F(Resources, TheRestartSaysWhatItsFigureIs) {
  run();
  const std::pair<MemorySource, const char*> cases[] = {
      {MemorySource::kResident, "513 MiB (shared pages once a process), the"},
      {MemorySource::kProportional, "513 MiB (shared pages once), the"},
      {MemorySource::kCgroup, "513 MiB (of its cgroup), the"}};
  for (const auto& [source, words] : cases) {
    begin();
    tree_.usage_seen.used_memory = {kLimit + kMebibyte, source};
    watch_->look();
    schedule_.pass(seconds(10));
    ASSERT_EQ(reports_.size(), 1U);
    EXPECT_EQ(reports_[0].problem,
              "Memory limit: the tree uses " + std::string(words) + " limit is 512 MiB.");
  }
}

TEST_F(Resources, ANewGenerationHasItsOwnFiveSeconds) {
  run();
  begin();
  uses(kLimit + 1);
  watch_->look();
  schedule_.pass(seconds(4));
  watch_->begin_generation();
  schedule_.pass(seconds(5));
  EXPECT_TRUE(reports_.empty());
  schedule_.pass(seconds(1));
  EXPECT_EQ(reports_.size(), 1U);
  watch_->begin_generation();
  schedule_.pass(seconds(6));
  EXPECT_EQ(reports_.size(), 2U) << "the next one has not been told yet";
}

TEST_F(Resources, TheSentenceNamesTheThreeLargestProcesses) {
  run();
  begin();
  uses(530 * kMebibyte);
  tree_.members_seen = {member(kNobody + 1, "npm", 20), member(kNobody + 2, "node hunter2secret", 300),
                        member(kNobody + 3, "esbuild", 19), member(kNobody + 4, "worker", 191)};
  watch_->look();
  schedule_.pass(seconds(5));
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].problem,
            "Memory limit: the tree uses 530 MiB (shared pages once), the limit is 512 MiB; most is resident "
            "in: pid 5000002 (node ***) "
            "300 MiB, pid 5000004 (worker) 191 MiB, pid 5000001 (npm) 20 MiB.");
}

TEST_F(Resources, ALimitIsKeptAlsoWhileTheProcessesCannotBeNamed) {
  run();
  begin();
  uses(530 * kMebibyte);
  tree_.members_seen = {member(kNobody + 1, "node", 500)};
  tree_.members_error = shortage();
  watch_->look();
  schedule_.pass(seconds(10));
  ASSERT_EQ(reports_.size(), 1U) << "it is told once, so it must be told now";
  EXPECT_EQ(reports_[0].problem,
            "Memory limit: the tree uses 530 MiB (shared pages once), the limit is 512 MiB.");
  EXPECT_EQ(warnings(), 1U);
  EXPECT_EQ(looks_, std::vector<bool>(11, true));
}

}  // namespace
}  // namespace codex
