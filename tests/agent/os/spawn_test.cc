#include "agent/os/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>

#include "agent/os/cgroup.h"
#include "agent/os/clock.h"
#include "tests/support/sandboxed_thread.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

SpawnRequest shell(const std::string& script) {
  return SpawnRequest{{"/bin/sh", "-c", script}, "/", {{"PATH", "/usr/bin:/bin"}}, 1, 2, -1, {}};
}

bool readable(int fd, int milliseconds) {
  pollfd watched{fd, POLLIN, 0};
  return ::poll(&watched, 1, milliseconds) == 1;
}

int exit_code_of(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/// The child says so when it fails, and where; then it is gone.
void expect_failure(const SpawnedProcess& child, const SpawnRequest& request, const std::string& stage,
                    int number) {
  EXPECT_TRUE(readable(child.exec_pipe.get(), 10'000));
  const auto error = read_spawn_error(child.exec_pipe.get(), request);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->stage, stage);
  EXPECT_EQ(error->error, number);
  EXPECT_EQ(exit_code_of(child.pid), 127);
}

/// Children that are born into it do not run until it thaws: they stand for a program whose file system does
/// not answer. Where there is no cgroup v2 for us, they run at once.
class Freezer {
 public:
  Freezer() : group_(Cgroup::create("codex-agent.spawn-test." + std::to_string(::getpid()))) { freeze("1"); }
  ~Freezer() { freeze("0"); }
  void thaw() { freeze("0"); }
  [[nodiscard]] bool works() const { return group_.has_value(); }
  [[nodiscard]] int fd() const { return group_ ? group_->fd() : -1; }

 private:
  void freeze(const char* value) {
    if (!group_) return;
    const UniqueFd file(::openat(group_->fd(), "cgroup.freeze", O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(::write(file.get(), value, 1), 1);
  }
  std::optional<Cgroup> group_;
};

TEST(Spawn, AppendsTheChildsPidToTheVariableThatIsToCarryIt) {
  SpawnRequest request = shell("test \"$ME\" = \"me/$$\" && test \"$MEANT\" = me/");
  request.environment["ME"] = request.environment["MEANT"] = "me/";
  request.pid_variable = "ME";
  EXPECT_EQ(exit_code_of(spawn(request).pid), 0);
}

TEST(Spawn, ReturnsAlthoughTheChildCannotRunYet) {
  Freezer freezer;
  SpawnedProcess child;
  {
    SpawnRequest request = shell("exit 7");
    request.cgroup_fd = freezer.fd();
    const TimePoint begin = Clock::now();
    child = spawn(request);
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(2));
  }  // The child must not need what its request was made of.
  if (freezer.works()) {
    EXPECT_FALSE(readable(child.exec_pipe.get(), 0));
  }
  freezer.thaw();
  EXPECT_TRUE(readable(child.exec_pipe.get(), 10'000));
  EXPECT_FALSE(read_spawn_error(child.exec_pipe.get(), shell("")));
  EXPECT_EQ(exit_code_of(child.pid), 7);
}

TEST(Spawn, ALateFailureIsReported) {
  Freezer freezer;
  SpawnRequest request = shell("exit 7");
  request.cgroup_fd = freezer.fd();
  request.directory = "/proc/self/no-such-directory";
  const SpawnedProcess child = spawn(request);
  freezer.thaw();
  expect_failure(child, request, "working directory", ENOENT);
}

TEST(Spawn, InASandboxItReturnsAlthoughTheChildCannotRunYet) {
  Freezer freezer;
  SpawnRequest request = shell("exit 7");
  request.cgroup_fd = freezer.fd();
  SpawnedProcess child;
  run_sandboxed({{SYS_clone3, ENOSYS}}, [&] { child = spawn(request); });
  if (freezer.works()) {
    EXPECT_FALSE(readable(child.exec_pipe.get(), 0)) << "it ran before it was in its cgroup";
  }
  freezer.thaw();
  EXPECT_TRUE(readable(child.exec_pipe.get(), 10'000));
  EXPECT_FALSE(read_spawn_error(child.exec_pipe.get(), request));
  EXPECT_EQ(exit_code_of(child.pid), 7);
}

TEST(Spawn, AFailureOfTheChildLeavesNothingOfItInOurMemory) {
  SpawnRequest request = shell("exit 7");
  request.command = {"/proc/self/status"};
  request.environment = {{"LONG", std::string(100'000, 'x')}};
  for (int i = 0; i < 50; ++i) {
    expect_failure(spawn(request), request, "exec", EACCES);
  }
}

/// As containers and systemd's RestrictNamespaces= do it; the parameter is what clone3(2) answers.
class SpawnInASandbox : public ::testing::TestWithParam<int> {
 protected:
  void sandboxed(const std::function<void()>& body, std::vector<RefusedCall> refused = {}) {
    refused.push_back({SYS_clone3, GetParam()});
    run_sandboxed(refused, [&] {
#ifdef __SANITIZE_ADDRESS__
      // With EPERM there are no threads either, so what a slow child still needs is left to it for good.
      std::optional<__lsan::ScopedDisabler> no_leak_is_one;
      if (GetParam() == EPERM) no_leak_is_one.emplace();
#endif
      body();
    });
  }
};

TEST_P(SpawnInASandbox, TheChildHasACleanStateOfItsOwn) {
  SpawnRequest request = shell(
      "i=3; while [ $i -lt 64 ]; do [ -e /proc/$$/fd/$i ] && exit 10; i=$((i+1)); done; "
      "grep -q 'SigIgn:.0000000000000000' /proc/self/status || exit 11; "
      "grep -q 'SigBlk:.0000000000000000' /proc/self/status || exit 12; "
      "test \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ || exit 13; "
      "test \"$(readlink /proc/$$/fd/0)\" = /dev/null || exit 14; "
      "test \"$ME\" = \"me/$$\" || exit 15; "
      "test \"$(ulimit -n)\" = 99 || exit 16; "
      "test \"$PWD\" = /usr || exit 17");
  request.directory = "/usr";
  request.environment["ME"] = "me/";
  request.pid_variable = "ME";
  request.open_files = rlimit{99, 99};
  ::signal(SIGPIPE, SIG_IGN);
  const UniqueFd leaky(::fcntl(0, F_DUPFD, 40));
  sandboxed([&] {
    const SpawnedProcess child = spawn(request);
    siginfo_t info{};
    EXPECT_EQ(::waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(info.si_pid, child.pid);
    EXPECT_FALSE(read_spawn_error(child.exec_pipe.get(), request));
    EXPECT_EQ(exit_code_of(child.pid), 0);
  });
  ::signal(SIGPIPE, SIG_DFL);
}

TEST_P(SpawnInASandbox, NoDescriptorIsLeftToTheChildWithoutCloseRange) {
  const UniqueFd leaky(::fcntl(0, F_DUPFD, 40));
  const std::string number = std::to_string(leaky.get());
  sandboxed(
      [&] {
        EXPECT_EQ(exit_code_of(spawn(shell("test ! -e /proc/$$/fd/" + number)).pid), 0);
        EXPECT_EQ(exit_code_of(spawn(shell("test -e /proc/$$/fd/2")).pid), 0);
      },
      {{SYS_close_range, GetParam()}});
}

TEST_P(SpawnInASandbox, OneWithoutAnyCloneIsCalledASandbox) {
  sandboxed(
      [] {
        try {
          spawn(shell("exit 7"));
          ADD_FAILURE() << "spawn succeeded";
        } catch (const SpawnError& error) {
          EXPECT_EQ(error.stage, "fork");
          EXPECT_NE(error.message.find("seccomp"), std::string::npos) << error.message;
        }
      },
      {{SYS_clone, GetParam()}});
}

TEST_P(SpawnInASandbox, AFailureIsReported) {
  SpawnRequest request = shell("exit 7");
  request.command = {"/proc/self/status"};
  sandboxed([&] { expect_failure(spawn(request), request, "exec", EACCES); });
}

TEST_P(SpawnInASandbox, TheChildJoinsItsCgroup) {
  const std::string name = "codex-agent.sandbox-test." + std::to_string(::getpid());
  const auto group = Cgroup::create(name);
  if (!group) GTEST_SKIP() << "no cgroup v2 for us";
  SpawnRequest request = shell("grep -q '^0::.*/" + name + "$' /proc/$$/cgroup");
  request.cgroup_fd = group->fd();
  sandboxed([&] { EXPECT_EQ(exit_code_of(spawn(request).pid), 0); });
}

TEST_P(SpawnInASandbox, AChildThatCannotJoinItsCgroupSaysSoAndGoesOn) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "cgroup.procs") << "";
  const UniqueFd group(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  SpawnRequest request = shell("exit 7");
  request.cgroup_fd = group.get();
  const RefusedCall its_join{SYS_write, EOPNOTSUPP, 1};
  sandboxed(
      [&] {
        const SpawnedProcess child = spawn(request);
        EXPECT_EQ(exit_code_of(child.pid), 7);
        const auto error = read_spawn_error(child.exec_pipe.get(), request);
        ASSERT_TRUE(error);
        EXPECT_EQ(error->stage, kCgroupStage);
        EXPECT_EQ(error->error, EOPNOTSUPP);
        EXPECT_FALSE(read_spawn_error(child.exec_pipe.get(), request)) << "exec itself succeeded";
      },
      {its_join});
}

TEST_P(SpawnInASandbox, NoChildIsMadeForACgroupThatIsGone) {
  const TemporaryDirectory directory;
  const UniqueFd group(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  SpawnRequest request = shell("exit 7");
  request.cgroup_fd = group.get();
  sandboxed([&] {
    try {
      spawn(request);
      ADD_FAILURE() << "spawn succeeded";
    } catch (const SpawnError& error) {
      EXPECT_EQ(error.stage, "fork");
      EXPECT_EQ(error.error, ENOENT);
    }
  });
  EXPECT_EQ(::waitpid(-1, nullptr, 0), -1);
}

INSTANTIATE_TEST_SUITE_P(, SpawnInASandbox, ::testing::Values(ENOSYS, EPERM),
                         [](const auto& test) { return test.param == ENOSYS ? "ENOSYS" : "EPERM"; });

}  // namespace
}  // namespace codex
