#include "agent/os/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "agent/os/cgroup.h"
#include "agent/os/clock.h"

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
  EXPECT_TRUE(readable(child.exec_pipe.get(), 10'000));
  const auto error = read_spawn_error(child.exec_pipe.get(), request);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->stage, "working directory");
  EXPECT_EQ(error->error, ENOENT);
  EXPECT_EQ(exit_code_of(child.pid), 127);
}

TEST(Spawn, AFailureOfTheChildLeavesNothingOfItInOurMemory) {
  SpawnRequest request = shell("exit 7");
  request.command = {"/proc/self/status"};
  request.environment = {{"LONG", std::string(100'000, 'x')}};
  for (int i = 0; i < 50; ++i) {
    const SpawnedProcess child = spawn(request);
    EXPECT_TRUE(readable(child.exec_pipe.get(), 10'000));
    const auto error = read_spawn_error(child.exec_pipe.get(), request);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->stage, "exec");
    EXPECT_EQ(error->error, EACCES);
    EXPECT_EQ(exit_code_of(child.pid), 127);
  }
}

}  // namespace
}  // namespace codex
