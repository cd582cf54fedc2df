#include "agent/os/process_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <thread>

#include "agent/os/check.h"
#include "agent/os/unique_fd.h"
#include "tests/support/forked_child.h"

namespace codex {
namespace {

constexpr pid_t kNobody = 1'999'999'999;  // above PID_MAX_LIMIT

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Runs /bin/sleep with exactly these environment entries; it shows them when this returns.
Child spawn_sleeper(std::vector<std::string> environment) {
  std::vector<char*> block;
  std::string expected;
  for (auto& entry : environment) {
    block.push_back(entry.data());
    expected += entry + '\0';
  }
  block.push_back(nullptr);
  std::string name = "sleep", time = "1000";
  char* argv[] = {name.data(), time.data(), nullptr};
  pid_t pid = 0;
  errno = ::posix_spawn(&pid, "/bin/sleep", nullptr, nullptr, argv, block.data());
  if (errno != 0) throw_errno("posix_spawn");
  Child child(pid);
  // execve(2) wakes a vfork parent before the new program's arguments can be seen in /proc.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto shows_them = [&] {
    return read_proc_stat(pid).value().environment_bytes == expected.size() &&
           file_text("/proc/" + std::to_string(pid) + "/environ") == expected;
  };
  while (!shows_them()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("sleep was not executed");
    std::this_thread::yield();
  }
  return child;
}

bool contains(const std::vector<pid_t>& pids, pid_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

TEST(ProcessTable, KnowsThisProcess) {
  const auto stat = read_proc_stat(::getpid());
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, ::getpid());
  EXPECT_EQ(stat->parent, ::getppid());
  EXPECT_EQ(stat->process_group, ::getpgrp());
  EXPECT_EQ(stat->session, ::getsid(0));
  EXPECT_GT(stat->start_ticks, 0U);
  EXPECT_GT(stat->resident_pages, 100U);
  EXPECT_GT(stat->virtual_bytes, stat->resident_pages);
  EXPECT_EQ(identify_process(::getpid()), (ProcessId{::getpid(), stat->start_ticks}));
}

TEST(ProcessTable, NobodyIsNoProcess) {
  for (const pid_t pid : {kNobody, 0, -1}) {
    EXPECT_FALSE(read_proc_stat(pid));
    EXPECT_FALSE(identify_process(pid));
    EXPECT_TRUE(children_of(pid).empty());
    EXPECT_TRUE(descendants_of({pid}).empty());
    EXPECT_FALSE(environment_of(pid, "PATH"));
    EXPECT_FALSE(describe_process(pid));
    EXPECT_FALSE(socket_owner(1, {pid}));
  }
}

TEST(ProcessTable, ThreadIsNoProcess) {
  Pipe told, done;
  std::thread keeper([&] {
    told.send(::gettid());
    done.receive<char>();
  });
  const auto thread = told.receive<pid_t>();
  EXPECT_TRUE(read_proc_stat(thread));
  EXPECT_FALSE(identify_process(thread));
  done.send('x');
  keeper.join();
}

TEST(ProcessTable, ZombieHasAStatButNoIdentity) {
  const auto child = fork_child([] {});
  child.await_exit();
  const auto stat = read_proc_stat(child.pid());
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->state, 'Z');
  EXPECT_FALSE(identify_process(child.pid()));
  EXPECT_TRUE(descendants_of({child.pid()}).empty());
  EXPECT_TRUE(contains(children_of(::getpid()), child.pid()));
}

TEST(ProcessTable, ChildrenOfEveryThreadAreFound) {
  const auto by_main = fork_child([] { ::pause(); });
  Pipe forked, done;
  std::thread keeper([&] {
    const auto child = fork_child([] { ::pause(); });
    forked.send(child.pid());
    done.receive<char>();
  });
  const auto by_keeper = forked.receive<pid_t>();
  const auto children = children_of(::getpid());
  EXPECT_TRUE(contains(children, by_main.pid()));
  EXPECT_TRUE(contains(children, by_keeper));
  std::vector<pid_t> tree;
  for (const auto& stat : descendants_of({::getpid()})) tree.push_back(stat.pid);
  EXPECT_TRUE(contains(tree, by_main.pid()));
  EXPECT_TRUE(contains(tree, by_keeper));
  done.send('x');
  keeper.join();
}

TEST(ProcessTable, DescendantsComeParentsFirstAndOnce) {
  Pipe pids;
  const auto root = fork_child([&] {
    const pid_t middle = ::fork();
    if (middle == 0) {
      const pid_t leaf = ::fork();
      if (leaf == 0) {
        pids.send(::getpid());
        ::pause();
      }
      pids.send(::getpid());
      ::pause();
    }
    ::pause();
  });
  const auto first = pids.receive<pid_t>();
  const auto second = pids.receive<pid_t>();
  // Naming a root twice, or a root below another, repeats nothing.
  const auto tree = descendants_of({root.pid(), root.pid(), first, kNobody});
  std::vector<pid_t> found;
  for (const auto& stat : tree) found.push_back(stat.pid);
  EXPECT_EQ(std::set<pid_t>(found.begin(), found.end()), (std::set<pid_t>{root.pid(), first, second}));
  EXPECT_EQ(found.size(), 3U);

  const auto plain = descendants_of({root.pid()});
  ASSERT_EQ(plain.size(), 3U);
  EXPECT_EQ(plain[0].pid, root.pid());
  EXPECT_EQ(plain[1].parent, root.pid());
  EXPECT_EQ(plain[2].parent, plain[1].pid);
  for (auto stat = plain.rbegin(); stat != plain.rend(); ++stat) ::kill(stat->pid, SIGKILL);
}

TEST(ProcessTable, WalkSurvivesProcessesThatVanishUnderIt) {
  const auto churn = fork_child([] {
    for (;;) {
      const pid_t pid = ::fork();
      if (pid == 0) ::_exit(0);
      if (pid > 0) ::waitpid(pid, nullptr, 0);
    }
  });
  std::size_t with_child = 0;
  for (int i = 0; i < 2'000; ++i) {
    const auto tree = descendants_of({churn.pid()});
    ASSERT_GE(tree.size(), 1U);
    ASSERT_EQ(tree.front().pid, churn.pid());
    with_child += tree.size() > 1 ? 1U : 0U;
  }
  EXPECT_GT(with_child, 0U) << "no child was ever seen: this tested nothing";
}

TEST(ProcessTable, EnvironmentIsTheOneOfTheStart) {
  const auto child = spawn_sleeper({"CODEX_TABLE_TEST=first value", "OTHER=2"});
  EXPECT_EQ(environment_of(child.pid(), "CODEX_TABLE_TEST"), "first value");
  EXPECT_EQ(environment_of(child.pid(), "OTHER"), "2");
  EXPECT_FALSE(environment_of(child.pid(), "PATH"));
}

TEST(ProcessTable, TellsWhetherAProcessWasStartedWithAVariable) {
  const auto child = spawn_sleeper({"CODEX_TABLE_TEST=first value"});
  const auto stat = read_proc_stat(child.pid());
  ASSERT_TRUE(stat);
  EXPECT_EQ(started_with(*stat, "CODEX_TABLE_TEST", "first"), true);
  EXPECT_EQ(started_with(*stat, "CODEX_TABLE_TEST", "value"), false);
  EXPECT_EQ(started_with(*stat, "OTHER", ""), false);
  const auto bare = spawn_sleeper({});
  EXPECT_EQ(started_with(read_proc_stat(bare.pid()).value(), "OTHER", ""), false) << "it has none, for good";
  auto amid_execve = *stat;
  amid_execve.environment_bytes.reset();
  EXPECT_EQ(started_with(amid_execve, "OTHER", ""), std::nullopt);
  EXPECT_EQ(started_with(amid_execve, "CODEX_TABLE_TEST", "first"), true) << "what is there is certain";
}

TEST(ProcessTable, FindsProcessesByEnvironmentPrefix) {
  const auto prefix = "test-" + std::to_string(::getpid()) + "-";
  const auto one = spawn_sleeper({"CODEX_TABLE_TEST=" + prefix + "1"});
  const auto two = spawn_sleeper({"CODEX_TABLE_TEST=" + prefix + "2"});
  const auto stranger = spawn_sleeper({"CODEX_TABLE_TEST=x" + prefix + "3"});
  auto found = find_processes_by_environment("CODEX_TABLE_TEST", prefix);
  std::sort(found.begin(), found.end());
  std::vector<ProcessId> expected = {identify_process(one.pid()).value(),
                                     identify_process(two.pid()).value()};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(found, expected);
}

TEST(ProcessTable, DescribesAProcessForAPerson) {
  const auto before = std::chrono::system_clock::now();
  const auto child = spawn_sleeper({"LANG=C"});
  const auto description = describe_process(child.pid());
  ASSERT_TRUE(description);
  EXPECT_EQ(description->pid, child.pid());
  EXPECT_EQ(description->command, "sleep 1000");
  const auto* user = ::getpwuid(::getuid());
  EXPECT_EQ(description->user, user != nullptr ? user->pw_name : std::to_string(::getuid()));
  // A start is counted in ticks of 10 ms, rounded down.
  EXPECT_GE(description->since, before - std::chrono::milliseconds(20));
  EXPECT_LE(description->since, std::chrono::system_clock::now() + std::chrono::milliseconds(20));
}

TEST(ProcessTable, ZombieIsDescribedByItsName) {
  const auto child = fork_child([] {});
  child.await_exit();
  const auto description = describe_process(child.pid());
  ASSERT_TRUE(description);
  EXPECT_EQ(description->command, "[" + read_proc_stat(child.pid())->comm + "]");
}

TEST(ProcessTable, WallTimeGrowsWithTheTicks) {
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto boot = wall_time_of(0);
  const auto later = wall_time_of(ticks_per_second * 90 + ticks_per_second / 2);
  EXPECT_NEAR(to_unix_seconds(later) - to_unix_seconds(boot), 90.5, 0.02);
  EXPECT_LT(boot, std::chrono::system_clock::now());
}

}  // namespace
}  // namespace codex
