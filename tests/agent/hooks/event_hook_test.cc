#include "agent/hooks/event_hook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <sstream>

#include "tests/support/command_fixture.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

/// A hook with real commands on a real loop; `sh` in the test's own directory.
class Hook : public CommandFixture {
 protected:
  void use(std::vector<std::string> command, Duration timeout = seconds(30)) {
    EventHookConfig config{std::move(command), timeout, directory_.path(), {{"PATH", "/usr/bin:/bin"}}};
    hook_ = std::make_unique<EventHook>(loop_, std::move(config),
                                        TreeIdentity{"test" + std::to_string(::getpid()), "", "secret"},
                                        redactor_, log_, [this] { ++changes_; });
  }
  void shell(const std::string& script, Duration timeout = seconds(30)) {
    use({"sh", "-c", script}, timeout);
  }

  LifecycleEvent add(std::uint64_t seq, const std::string& state = "running") {
    LifecycleEvent event{seq, {}, "api", "state_changed", "starting", state, "ready", "say \"hi\""};
    hook_->add(event);
    return event;
  }

  bool counted(std::string_view result, std::uint64_t n) {
    return turn_until([&] { return count(result) >= n; });
  }
  [[nodiscard]] std::uint64_t count(std::string_view result) const {
    return hook_->counts().find(result)->second;
  }
  /// How long finish() took.
  Duration finish() {
    bool done = false;
    const auto begin = Clock::now();
    hook_->finish([&] { done = true; });
    EXPECT_TRUE(turn_until([&] { return done; }));
    return Clock::now() - begin;
  }

  std::unique_ptr<EventHook> hook_;
  Reaper reaper_{loop_, [this](pid_t pid, const ExitStatus& status, const rusage&) {
                   if (hook_) hook_->on_reaped(pid, status);
                 }};
};

TEST_F(Hook, GetsEveryEventAsTheHistorysLineInOrder) {
  shell("cat >>out");
  std::string expected;
  for (std::uint64_t seq = 1; seq <= 20; ++seq) expected += to_json(add(seq)) + "\n";
  EXPECT_EQ(written(), "") << "nothing starts but from the loop";
  ASSERT_TRUE(counted("success", 20));
  EXPECT_EQ(written(), expected);
  EXPECT_GE(changes_, 20);
  EXPECT_EQ(log_.counts().at("warning"), 0U);
}

TEST_F(Hook, WithoutACommandNothingHappens) {
  use({});
  add(1);
  EXPECT_LT(finish(), seconds(1));
  for (const auto& [result, n] : hook_->counts()) EXPECT_EQ(n, 0U) << result;
}

TEST_F(Hook, NamesTheEventInTheEnvironmentAndIsNoPartOfABackend) {
  shell("echo $CODEX_AGENT_EVENT $CODEX_AGENT_BACKEND $CODEX_AGENT_STATE ${CODEX_AGENT_TOKEN-none} >out");
  add(1, "failed");
  ASSERT_TRUE(counted("success", 1));
  EXPECT_EQ(written(), "state_changed api failed none\n");
}

TEST_F(Hook, ABackendsTreeDoesNotTakeAHookForAMember) {
  ProcessTree tree(loop_, {"test" + std::to_string(::getpid()), "", "secret"}, false, {[] {}, {}, {}});
  shell("(setsid sh -c 'echo $$ >daemon; exec sleep 100' &) ; echo >begun; exec sleep 100", seconds(1));
  add(1);
  ASSERT_TRUE(turn_until([&] { return !written("begun").empty() && written("daemon").ends_with("\n"); }));
  EXPECT_TRUE(tree.members().empty());
  EXPECT_FALSE(tree.find_leftovers());
  ASSERT_TRUE(turn_until([&] { return ended("daemon"); }));
}

TEST_F(Hook, OneThatHangsIsTerminatedAndTheNextEventIsDelivered) {
  shell("read line; case $line in *'\"seq\":1,'*) echo $$ >hung; exec sleep 100;; esac; echo $line >>out",
        milliseconds(200));
  add(1);
  add(2);
  ASSERT_TRUE(counted("success", 1));
  EXPECT_EQ(count("timeout"), 1U);
  EXPECT_TRUE(ended("hung"));
  EXPECT_THAT(written(), HasSubstr("\"seq\":2,"));
}

TEST_F(Hook, OneThatIgnoresSigtermIsKilledWithAllThatCameOfIt) {
  shell(
      "trap '' TERM; (setsid sh -c 'echo $$ >child; while :; do sleep 1; done' &); echo $$ >hung; "
      "while :; do sleep 1; done",
      milliseconds(300));
  const auto begin = Clock::now();
  add(1);
  ASSERT_TRUE(counted("timeout", 1));
  EXPECT_GE(Clock::now() - begin, milliseconds(1300)) << "SIGTERM comes first";
  EXPECT_TRUE(turn_until([&] { return ended("hung") && ended("child"); }));
}

TEST_F(Hook, WhatItLeavesBehindDelaysNobodyAndEndsWithItsTime) {
  shell("(setsid sh -c 'echo $$ >daemon.$CODEX_AGENT_STATE; exec sleep 100' &)", seconds(2));
  const auto begin = Clock::now();
  add(1, "starting");
  add(2, "running");
  ASSERT_TRUE(counted("success", 2));
  const auto delivered = Clock::now() - begin;
  ASSERT_TRUE(turn_until([&] { return ended("daemon.starting") && ended("daemon.running"); }));
  EXPECT_LT(delivered, seconds(2));
  EXPECT_GE(Clock::now() - begin, seconds(2));
  EXPECT_EQ(count("timeout"), 0U) << "the commands themselves were in time";
}

TEST_F(Hook, AnOutcomeIsLoggedWhenItChangesNotEachTime) {
  shell(
      "read line; case $line in *running*) exit 0;; esac; "
      "echo one >&2; echo two >&2; echo three >&2; echo the token is hunter2secret >&2; exit 3");
  for (std::uint64_t seq = 1; seq <= 3; ++seq) add(seq, "failed");
  ASSERT_TRUE(counted("failure", 3));
  EXPECT_EQ(log_.counts().at("warning"), 1U);
  ASSERT_TRUE(logged("event_hook_failed on_event=sh seq=1 result=failure why=\"exit code 3\""));
  EXPECT_THAT(log(), HasSubstr("stderr=\"two | three | the token is ***\""));
  EXPECT_THAT(log(), Not(HasSubstr("hunter2")));
  add(4);
  ASSERT_TRUE(counted("success", 1));
  ASSERT_TRUE(logged("event_hook_recovered on_event=sh seq=4"));
  add(5, "failed");
  ASSERT_TRUE(counted("failure", 4));
  EXPECT_EQ(log_.counts().at("warning"), 2U);
}

TEST_F(Hook, ASignalIsNamed) {
  shell("kill -SEGV $$");
  add(1);
  ASSERT_TRUE(counted("failure", 1));
  EXPECT_TRUE(logged("why=\"signal SIGSEGV\""));
}

TEST_F(Hook, AFloodOnItsOutputsNeitherBlocksItNorLeaksHalfASecret) {
  const std::string tail = "x hunter2secret";
  shell("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero | tr '\\0' 'y' >&2; printf '" + tail +
        "' >&2; exit 1");
  add(1);
  ASSERT_TRUE(counted("failure", 1));
  ASSERT_TRUE(logged("event_hook_failed"));
  EXPECT_THAT(log(), Not(HasSubstr("hunter2"))) << "a line whose beginning is lost is not shown";
  EXPECT_THAT(log(), Not(HasSubstr("stderr=")));
}

TEST_F(Hook, AMissingCommandIsAFailureThatSaysWhatToSet) {
  use({"no-such-command-anywhere"});
  add(1);
  add(2);
  ASSERT_TRUE(counted("failure", 2));
  EXPECT_EQ(log_.counts().at("warning"), 1U);
  EXPECT_TRUE(logged("or set `on_event`"));
}

TEST_F(Hook, AFileThatCannotBeExecutedIsAFailureUntilItCan) {
  use({"./notify.sh"});
  add(1);
  ASSERT_TRUE(counted("failure", 1));
  ASSERT_TRUE(logged("notify.sh: No such file"));
  write_contents(directory_ / "notify.sh", "#!/bin/sh\ncat >out\n");
  ::chmod((directory_ / "notify.sh").c_str(), 0700);
  add(2);
  ASSERT_TRUE(counted("success", 1));
  EXPECT_THAT(written(), HasSubstr("\"seq\":2,"));
}

TEST_F(Hook, OfTooManyWaitingEventsTheOldestAreDropped) {
  ASSERT_EQ(::mkfifo((directory_ / "gate").c_str(), 0600), 0);
  shell("cat >>out; case $CODEX_AGENT_STATE in first) read go <gate;; esac");
  add(1, "first");
  ASSERT_TRUE(turn_until([&] { return !written().empty(); }));
  const std::uint64_t last = 1 + EventHook::kMaxWaiting + 6;
  for (std::uint64_t seq = 2; seq <= last; ++seq) add(seq);
  EXPECT_EQ(count("dropped"), 6U);
  std::ofstream(directory_ / "gate") << "go\n";
  ASSERT_TRUE(counted("success", 1 + EventHook::kMaxWaiting));
  std::istringstream lines(written());
  std::vector<std::string> got;
  for (std::string line; std::getline(lines, line);) got.push_back(line);
  ASSERT_EQ(got.size(), 1 + EventHook::kMaxWaiting);
  for (std::size_t i = 1; i < got.size(); ++i) {
    EXPECT_THAT(got[i], HasSubstr("{\"seq\":" + std::to_string(i + 7) + ","));
  }
  EXPECT_EQ(log_.counts().at("warning"), 1U) << "that events are dropped is said once";
}

TEST_F(Hook, ARunawayOfDaemonsIsBounded) {
  shell("(setsid sh -c 'exec sleep 100' &)", seconds(2));
  for (std::uint64_t seq = 1; seq <= EventHook::kMaxLingering + 1; ++seq) add(seq);
  ASSERT_TRUE(counted("success", EventHook::kMaxLingering));
  const auto begin = Clock::now();
  ASSERT_TRUE(counted("success", EventHook::kMaxLingering + 1));
  EXPECT_LT(Clock::now() - begin, seconds(10)) << "the place of the first is free after its time";
}

TEST_F(Hook, TheEndWaitsForWhatIsPending) {
  shell("cat >>out");
  for (std::uint64_t seq = 1; seq <= 2; ++seq) add(seq);
  EXPECT_LT(finish(), EventHook::kLastPatience);
  EXPECT_EQ(count("success"), 2U);
}

TEST_F(Hook, AtTheEndTheLastEventIsDeliveredThoughAnEarlierOneHangs) {
  shell("case $CODEX_AGENT_STATE in running) echo >begun; exec sleep 100;; esac; cat >>out");
  add(1);
  ASSERT_TRUE(turn_until([&] { return !written("begun").empty(); }));
  add(2, "stopping");
  add(3, "stopped");
  EXPECT_LT(finish(), EventHook::kLastPatience + seconds(1));
  EXPECT_THAT(written(), HasSubstr("\"seq\":3,"));
  EXPECT_EQ(count("timeout"), 1U);
  EXPECT_EQ(count("dropped"), 1U);
  EXPECT_EQ(count("success"), 1U);
}

TEST_F(Hook, TheEndIsBoundedAndLeavesNothingRunning) {
  shell("trap '' TERM; (setsid sh -c 'echo $$ >daemon; exec sleep 100' &); echo $$ >hung; exec sleep 100");
  add(1);
  ASSERT_TRUE(
      turn_until([&] { return written("hung").ends_with("\n") && written("daemon").ends_with("\n"); }));
  const auto took = finish();
  EXPECT_GE(took, EventHook::kLastPatience);
  EXPECT_LT(took, EventHook::kLastPatience + seconds(2));
  EXPECT_TRUE(turn_until([&] { return ended("hung") && ended("daemon"); }));
  EXPECT_EQ(count("timeout"), 1U);
}

}  // namespace
}  // namespace codex
