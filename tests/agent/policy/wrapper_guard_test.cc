#include "agent/policy/wrapper_guard.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ProcStat process(pid_t pid, std::uint64_t ticks = 1) {
  ProcStat stat;
  stat.pid = pid;
  stat.start_ticks = ticks;
  return stat;
}

/// npm 1, nodemon 2 and the application 3 with the port.
struct Watched {
  Watched() { watch.observe({}, ProcessId{3, 1}, now); }

  void pass(Duration time, const std::vector<ProcStat>& members, std::optional<ProcessId> listener = {}) {
    now += time;
    watch.observe(members, listener, now);
  }
  bool idle() const { return watch.idle_since(now).has_value(); }

  WrapperGuard watch;
  TimePoint now{seconds(100)};
};

TEST(WrapperGuard, AnApplicationThatEndedBelowItsWrapperIsMissedAfterASecond) {
  Watched w;
  w.pass(milliseconds(10), {process(1), process(2)});
  EXPECT_TRUE(w.watch.suspicious());
  w.pass(milliseconds(999), {process(1), process(2)});
  EXPECT_FALSE(w.idle());
  w.pass(milliseconds(1), {process(1), process(2)});
  EXPECT_TRUE(w.idle());
}

TEST(WrapperGuard, AReloadIsNoIdleWrapperHoweverLongItTakes) {
  Watched w;
  w.pass(milliseconds(10), {process(1), process(2)});
  for (int i = 0; i < 100; ++i) w.pass(milliseconds(100), {process(1), process(2), process(4)});
  EXPECT_FALSE(w.idle());
  w.pass(milliseconds(100), {process(1), process(2), process(4)}, ProcessId{4, 1});
  EXPECT_FALSE(w.watch.suspicious());
}

TEST(WrapperGuard, AReloadThatEndsAsWellBeginsTheWaitAnew) {
  Watched w;
  w.pass(milliseconds(10), {process(1), process(2)});
  w.pass(milliseconds(900), {process(1), process(2), process(4)});
  w.pass(milliseconds(900), {process(1), process(2)});
  EXPECT_FALSE(w.idle());
  w.pass(milliseconds(100), {process(1), process(2)});
  EXPECT_TRUE(w.idle());
}

TEST(WrapperGuard, APidThatIsUsedAgainIsAnotherProcess) {
  Watched w;
  w.pass(milliseconds(10), {process(1), process(2)});
  w.pass(seconds(2), {process(1), process(2, 77)});
  EXPECT_FALSE(w.idle());
}

TEST(WrapperGuard, AServerThatClosedItsPortButLivesIsAnotherMatter) {
  Watched w;
  w.pass(seconds(5), {process(1), process(2), process(3)});
  EXPECT_FALSE(w.watch.suspicious());
}

TEST(WrapperGuard, WithoutAWrapperTheExitIsAllThereIs) {
  Watched w;
  w.pass(milliseconds(10), {});
  w.pass(seconds(5), {});
  EXPECT_FALSE(w.idle());
}

TEST(WrapperGuard, ANewGenerationIsNotJudgedByTheLastOne) {
  Watched w;
  w.watch.begin_generation();
  w.pass(seconds(5), {process(1), process(2)});
  EXPECT_FALSE(w.watch.suspicious()) << "nothing of it has listened yet";
}

TEST(WrapperGuard, WhatHasLivedSinceTheEndWasStartedByAWrapper) {
  Watched w;
  w.pass(milliseconds(10), {process(1), process(2)});
  EXPECT_FALSE(w.watch.renewed());
  w.pass(milliseconds(900), {process(1), process(2), process(4)});
  w.pass(milliseconds(900), {process(1), process(2)});
  EXPECT_TRUE(w.watch.renewed()) << "though it has ended as well";
  w.pass(milliseconds(10), {process(1), process(2), process(5)}, ProcessId{5, 1});
  EXPECT_FALSE(w.watch.renewed()) << "what listens now is another server";
}

std::vector<ProcStat> tree(std::initializer_list<std::pair<pid_t, pid_t>> links) {
  std::vector<ProcStat> members;
  for (const auto& [pid, parent] : links) members.push_back(process(pid)), members.back().parent = parent;
  return members;
}

TEST(IsChain, WhereNothingLivesBesideAWrapperAndItsAncestors) {
  EXPECT_TRUE(is_chain(tree({{10, 1}})));
  EXPECT_TRUE(is_chain(tree({{10, 1}, {11, 10}, {12, 11}})));
  EXPECT_FALSE(is_chain({}));
  EXPECT_FALSE(is_chain(tree({{10, 1}, {11, 10}, {12, 10}}))) << "sh -c 'a & b', concurrently";
  EXPECT_FALSE(is_chain(tree({{10, 1}, {11, 10}, {12, 11}, {13, 11}})));
  EXPECT_FALSE(is_chain(tree({{10, 1}, {20, 1}}))) << "one that lost its parent";
}

}  // namespace
}  // namespace codex
