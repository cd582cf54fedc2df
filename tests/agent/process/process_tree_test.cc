#include "agent/process/process_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>

#include "agent/os/cgroup.h"
#include "agent/process/tree_stopper.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/sandboxed_thread.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A tree on a real loop with real processes; the parameter is whether it may use a cgroup.
class Tree : public LoopFixture, public ::testing::WithParamInterface<bool> {
 protected:
  Tree()
      : reaper_(loop_,
                [this](pid_t pid, const ExitStatus& status, const rusage&) {
                  reaped_[pid] = status;
                  if (tree_.on_reaped(pid, status)) stopper_.member_gone();
                }),
        tree_(loop_, {"test" + std::to_string(::getpid()), "tree", "secret"}, GetParam(),
              {[this] { exec_ok_ = true; }, [this](const SpawnError& error) { spawn_error_ = error; },
               [this](const ExitStatus& status) { exit_ = status; }}),
        stopper_(loop_, tree_, sock_diag_, std::nullopt,
                 {[this](bool) { empty_ = true; },
                  [this](const std::string& signal) { signals_.push_back(signal); }}) {}

  ~Tree() override {
    for (int i = 0; i < 200 && !tree_.is_surely_empty(); ++i) {
      tree_.kill_all();
      loop_.run_once(milliseconds(10));
    }
    loop_.run_once(milliseconds(10));
  }

  void spawn(std::vector<std::string> command) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    SpawnRequest request;
    request.command = std::move(command);
    request.directory = "/";
    request.environment = {{"PATH", "/usr/bin:/bin"}, {"SECRET", "x"}};
    request.stdout_fd = request.stderr_fd = null.get();
    tree_.spawn(std::move(request), 1);
  }
  void shell(const std::string& script) { spawn({"sh", "-c", script}); }

  bool has_members(std::size_t n) {
    return turn_until([&] { return tree_.members().size() >= n; });
  }
  bool stopped() {
    return turn_until([&] { return empty_; });
  }

  SockDiag sock_diag_;
  bool exec_ok_ = false, empty_ = false;
  std::optional<SpawnError> spawn_error_;
  std::optional<ExitStatus> exit_;
  std::vector<std::string> signals_;
  std::map<pid_t, ExitStatus> reaped_;
  Reaper reaper_;
  ProcessTree tree_;
  TreeStopper stopper_;
};

TEST_P(Tree, ReportsExecAndExit) {
  shell("exit 3");
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  EXPECT_TRUE(exec_ok_);
  EXPECT_EQ(exit_->code, 3);
  EXPECT_FALSE(tree_.leader());
  EXPECT_TRUE(tree_.members().empty());
}

TEST_P(Tree, ReportsTheSignalThatEndedTheLeader) {
  shell("kill -SEGV $$");
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  EXPECT_EQ(exit_->signal, SIGSEGV);
}

TEST_P(Tree, AMissingCommandIsNamed) {
  try {
    spawn({"no-such-command-anywhere"});
    FAIL() << "spawn succeeded";
  } catch (const SpawnError& error) {
    EXPECT_EQ(error.error, ENOENT);
    EXPECT_NE(error.message.find("no-such-command-anywhere"), std::string::npos);
    EXPECT_NE(error.message.find("/usr/bin:/bin"), std::string::npos) << "says where it looked";
  }
}

TEST_P(Tree, ABadInterpreterIsASpawnFailureWithNothingLeftBehind) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("codex-bad-" + std::to_string(::getpid()) + (GetParam() ? "c" : "s"));
  std::ofstream(path) << "#!/no/such/interpreter\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  spawn({path.string()});
  ASSERT_TRUE(turn_until([&] { return spawn_error_.has_value(); }));
  EXPECT_EQ(spawn_error_->stage, "exec");
  EXPECT_FALSE(exit_) << "a spawn that failed is not an exit";
  EXPECT_FALSE(tree_.leader());
  std::filesystem::remove(path);
}

TEST_P(Tree, TheChildHasACleanStateOfItsOwn) {
  // Every descriptor above 2 is closed, no signal ignored or blocked, its own session, the marker is set.
  // grep looks at its own masks, which it has from the shell: the shell blocks signals for a moment whenever
  // it forks.
  ::signal(SIGPIPE, SIG_IGN);
  const UniqueFd leaky(::fcntl(0, F_DUPFD, 40));  // a library's descriptor without close-on-exec
  shell(
      "i=3; while [ $i -lt 64 ]; do [ -e /proc/$$/fd/$i ] && exit 10; i=$((i+1)); done; "
      "grep -q 'SigIgn:.0000000000000000' /proc/self/status || exit 11; "
      "grep -q 'SigBlk:.0000000000000000' /proc/self/status || exit 12; "
      "test \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ || exit 13; "
      "test \"$(readlink /proc/$$/fd/0)\" = /dev/null || exit 14; "
      "case $CODEX_AGENT_TOKEN in */tree/1/$$) exit 0;; *) exit 15;; esac");
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  ::signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(exit_->code, 0);
}

TEST_P(Tree, AChildThatCannotJoinTheCgroupIsRunWithoutOne) {
  run_sandboxed({{SYS_clone3, ENOSYS}, {SYS_write, EOPNOTSUPP, 1}}, [&] { shell("exit 3"); });
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  EXPECT_TRUE(exec_ok_);
  EXPECT_EQ(exit_->code, 3);
  EXPECT_FALSE(spawn_error_);
  EXPECT_FALSE(tree_.cgroup_cpu()) << "what it would tell is of nobody";
}

TEST_P(Tree, AFailureAfterThatOfTheCgroupIsStillOne) {
  run_sandboxed({{SYS_clone3, ENOSYS}, {SYS_write, EOPNOTSUPP, 1}}, [&] { spawn({"/proc/self/status"}); });
  ASSERT_TRUE(turn_until([&] { return spawn_error_.has_value(); }));
  EXPECT_EQ(spawn_error_->stage, "exec");
  EXPECT_FALSE(exec_ok_);
}

TEST_P(Tree, AChildOfItsOwnSessionAndADoubleForkAreMembersAndDie) {
  shell("setsid sh -c 'sleep 1000 & exec sleep 1000' & (setsid sleep 1000 &) ; exec sleep 1000");
  ASSERT_TRUE(has_members(4));
  stopper_.stop(SIGTERM);
  ASSERT_TRUE(stopped());
  EXPECT_TRUE(tree_.members().empty());
  EXPECT_EQ(signals_, std::vector<std::string>{"SIGTERM"});
}

TEST_P(Tree, OrphansOfADeadLeaderAreStillMembers) {
  shell("setsid sleep 1000 & exit 0");
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  ASSERT_TRUE(has_members(1));
  stopper_.stop(SIGTERM);
  EXPECT_TRUE(stopped());
}

TEST_P(Tree, AStoppedProcessEndsWithinTheGracePeriod) {
  shell("kill -STOP $$");
  ASSERT_TRUE(turn_until([&] {
    const auto members = tree_.members();
    return members.size() == 1 && members[0].state == 'T';
  }));
  stopper_.stop(SIGTERM);
  EXPECT_TRUE(stopped());
}

TEST_P(Tree, ASignalThatCannotBeSentForWantOfDescriptorsIsSentLater) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  shell("trap 'exit 5' TERM; while :; do sleep 0.01; done");
  ASSERT_TRUE(has_members(2));
  for (int spare = 0; spare < 3; ++spare) {
    const test::FewDescriptors few(spare);
    try {
      stopper_.stop(SIGTERM);
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code().value(), EMFILE);
    }
    for (int i = 0; i < 5; ++i) loop_.run_once(milliseconds(10));
  }
  ASSERT_TRUE(stopped());
  ASSERT_TRUE(exit_);
  EXPECT_EQ(exit_->code, 5) << "it was asked, and not killed";
  EXPECT_EQ(signals_, std::vector<std::string>{"SIGTERM"});
}

TEST_P(Tree, AStartWithoutDescriptorsIsOneThatMayBeTriedAgain) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  int failed = 0;
  for (int spare = 0; spare < 20; ++spare) {
    spawn_error_.reset();
    exit_.reset();
    try {
      const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
      SpawnRequest request;
      request.command = {"sh", "-c", "exit 0"};
      request.directory = "/";
      request.environment = {{"PATH", "/usr/bin:/bin"}};
      request.stdout_fd = request.stderr_fd = null.get();
      rlimit enough{};
      check("getrlimit", ::getrlimit(RLIMIT_NOFILE, &enough));
      request.open_files = enough;
      const test::FewDescriptors few(spare);
      tree_.spawn(std::move(request), 1);
    } catch (const SpawnError& error) {
      EXPECT_TRUE(error.is_passing()) << error.message;
      ++failed;
      continue;
    } catch (const std::system_error&
                 error) {  // It runs, and could not be looked at; its end is seen all the same.
      EXPECT_TRUE(is_shortage(error.code().value()));
    }
    ASSERT_TRUE(turn_until([&] { return exit_ || spawn_error_; }));
    ASSERT_FALSE(spawn_error_) << spawn_error_->message;
    EXPECT_EQ(exit_->code, 0);
    ASSERT_TRUE(turn_until([&] { return tree_.is_surely_empty(); }));
  }
  EXPECT_GT(failed, 0);
}

TEST_P(Tree, WhoIgnoresTheSignalIsKilled) {
  shell("trap '' TERM; sleep 1000 & wait; wait; sleep 1000");
  ASSERT_TRUE(has_members(2));
  stopper_.stop(SIGTERM);
  for (int i = 0; i < 5; ++i) loop_.run_once(milliseconds(10));
  EXPECT_FALSE(empty_);
  stopper_.kill();
  EXPECT_TRUE(stopped());
  EXPECT_EQ(signals_, (std::vector<std::string>{"SIGTERM", "SIGKILL"}));
}

TEST_P(Tree, AGenerationAfterAKilledOneLives) {
  for (int generation = 0; generation < 3; ++generation) {
    empty_ = false;
    exit_.reset();
    shell("trap '' TERM; while :; do sleep 1000; done");
    ASSERT_TRUE(has_members(2));
    ASSERT_FALSE(exit_);
    stopper_.stop(SIGTERM);
    stopper_.kill();
    ASSERT_TRUE(stopped());
  }
  exit_.reset();
  shell("exit 3");
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  EXPECT_EQ(exit_->code, 3);
}

TEST_P(Tree, IsStoppedWhereASandboxRefusesPidfds) {
  shell("exec sleep 1000");
  ASSERT_TRUE(has_members(1));
  for (const int error : {ENOSYS, EPERM}) {
    run_sandboxed({{SYS_pidfd_open, error}}, [&] {
      const auto member = tree_.members().front();
      EXPECT_TRUE(tree_.signal({member.pid, member.start_ticks}, 0));
      EXPECT_FALSE(tree_.signal({member.pid, member.start_ticks + 1}, SIGKILL)) << "another process";
    });
  }
  run_sandboxed({{SYS_pidfd_open, ENOSYS}}, [&] { tree_.kill_all(); });
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  EXPECT_EQ(exit_->signal, SIGKILL);
}

TEST_P(Tree, AnOrphanThatClearedItsEnvironmentIsStillAMember) {
  shell("env -i sleep 1000 & env -i sleep 1000 & exit 0");
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  ASSERT_TRUE(has_members(2));
  stopper_.stop(SIGTERM);
  EXPECT_TRUE(stopped());
}

TEST_P(Tree, TheAgentIsNeverAMemberWhateverItsEnvironmentSays) {
  // As after `codex-agent start` in a shell that the backend itself has started: the token is ours, and so is
  // the pid.
  const pid_t agent = ::fork();
  if (agent == 0) {
    const std::string token =
        std::string(kTokenVariable) + "=family" + std::to_string(::getpid()) + ".secret/x/1";
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::array<const char*, 2> environment{token.c_str(), nullptr};
    ::execle(program.c_str(), program.c_str(), "--gtest_filter=TokenBearer.FindsNoLeftovers",
             "--gtest_brief=1", static_cast<const char*>(nullptr), environment.data());
    ::_exit(127);
  }
  ASSERT_TRUE(turn_until([&] { return reaped_.contains(agent); }));
  EXPECT_EQ(reaped_[agent].code, 0);
}

TEST_P(Tree, AProcessThatHopsFromPidToPidIsCaught) {
  // Each one starts the next and ends at once; by the time a look sees it, it is another one.
  shell(
      "trap '' TERM; export H='trap \"\" TERM; sh -c \"$H\" & sleep 0.001'; setsid sh -c \"$H\" & exec sleep "
      "1000");
  ASSERT_TRUE(has_members(2));
  stopper_.stop(SIGTERM);
  stopper_.kill();
  EXPECT_TRUE(stopped());
}

TEST_P(Tree, IsNeverTakenForEmptyWhileAProcessHopsFromPidToPid) {
  shell("export H='sh -c \"$H\" & sleep 0.001'; sh -c \"$H\" & exec true");
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  for (int i = 0; i < 2000; ++i) {
    loop_.run_once(Duration{0});
    ASSERT_FALSE(tree_.members().empty() && tree_.is_surely_empty()) << "look " << i;
  }
}

TEST_P(Tree, IsNeverTakenForEmptyWhileAProcessChangesItsProgram) {
  // In the midst of an execve(2) a process has no environment to be known by.
  shell("export H='exec sh -c \"$H\"'; setsid sh -c \"$H\" & exec true");
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  for (int i = 0; i < 2000; ++i) {
    loop_.run_once(Duration{0});
    ProcessTree look(loop_, {"test" + std::to_string(::getpid()), "tree", "secret"}, false, {});
    ASSERT_FALSE(look.members().empty() && look.is_surely_empty()) << "look " << i;
  }
}

TEST_P(Tree, IsNotEmptyWhileAProcessLives) {
  shell("exec sleep 1000");
  ASSERT_TRUE(has_members(1));
  EXPECT_FALSE(tree_.is_surely_empty());
  tree_.kill_all();
  EXPECT_TRUE(turn_until([&] { return !tree_.leader() && tree_.is_surely_empty(); }));
}

TEST_P(Tree, ALeaderIsAdoptableAndWhatItLeftBehindIsNot) {
  shell("setsid sleep 1000 & setsid sleep 1000 & wait");
  ASSERT_TRUE(has_members(3));
  ProcessTree next(loop_, {"test" + std::to_string(::getpid()), "tree", "secret"}, false, {});
  ASSERT_TRUE(next.find_leftovers());
  const auto adoptable = next.adoptable();
  ASSERT_TRUE(adoptable);
  EXPECT_EQ(adoptable->leader.pid, tree_.leader());
  EXPECT_EQ(adoptable->generation, 1U);

  ::kill(*tree_.leader(), SIGKILL);
  ASSERT_TRUE(turn_until([&] { return exit_.has_value(); }));
  ASSERT_TRUE(next.find_leftovers());
  EXPECT_FALSE(next.adoptable());
}

TEST_P(Tree, NeverSignalsAStrangerWithAReusedPid) {
  const pid_t stranger = ::fork();
  if (stranger == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto id = identify_process(stranger);
  ASSERT_TRUE(id);
  EXPECT_FALSE(tree_.signal(ProcessId{stranger, id->start_ticks + 1}, SIGKILL))
      << "another start time: another process";
  EXPECT_TRUE(identify_process(stranger));
  ::kill(stranger, SIGKILL);
  turn_until([&] { return !identify_process(stranger); });
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutCgroup, Tree, ::testing::Bool(),
                         [](const auto& chosen) { return chosen.param ? "Cgroup" : "SubReaper"; });

/// Also run in a process of its own that has the token of the tree it looks for in its environment.
TEST(TokenBearer, FindsNoLeftovers) {
  EventLoop loop;
  ProcessTree tree(loop, {"family" + std::to_string(::getpid()), "x", "secret"}, false, {});
  EXPECT_FALSE(tree.find_leftovers());
  EXPECT_TRUE(tree.members().empty());
}

TEST(Cgroup, FindsTheMountOnHybridHosts) {
  const std::string hybrid =
      "25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "26 25 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "37 25 0:34 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(find_cgroup2_mount(hybrid), "/sys/fs/cgroup/unified");
  EXPECT_EQ(find_cgroup2_mount("26 25 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"), "");
  EXPECT_EQ(find_cgroup2_mount(""), "");
}

TEST(Cgroup, FindsItsOwnPathAmongVersionOneControllers) {
  EXPECT_EQ(find_cgroup2_path("4:memory:/a\n0::/user.slice/x\n"), "/user.slice/x");
  EXPECT_EQ(find_cgroup2_path("4:memory:/a\n"), "");
}

}  // namespace
}  // namespace codex
