#include "agent/cli/daemon_launcher.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/support/project_directory.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = LaunchedDaemon::State;

class DaemonLauncher : public testing::Test {
 protected:
  std::filesystem::path script(const std::string& body) {
    const auto file = directory_.write("daemon", "#!/bin/sh\n" + body);
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file;
  }
  static TimePoint soon() { return Clock::now() + seconds(20); }

  ProjectDirectory directory_;
};

constexpr const char* kSayReady =
    "while [ \"$1\" != --ready-fd ]; do shift; done\nprintf 1 > /proc/self/fd/$2\n";

TEST_F(DaemonLauncher, ADaemonThatSaysItListensIsReady) {
  const auto marker = directory_.path() / "arguments";
  LaunchedDaemon daemon(script("echo \"$*\" > " + marker.string() + "\n" + kSayReady), {"-C", "/srv", "run"});
  EXPECT_EQ(daemon.wait(soon(), {}), State::kReady);
  EXPECT_EQ(::waitpid(daemon.pid(), nullptr, 0), daemon.pid());
  std::string arguments;
  std::getline(std::ifstream(marker), arguments);
  EXPECT_EQ(arguments.find("-C /srv run --ready-fd "), 0U) << arguments;
}

TEST_F(DaemonLauncher, ADaemonThatEndsFirstPassesItsExitCodeOn) {
  LaunchedDaemon daemon(script("echo out; echo why >&2; exit 2\n"), {});
  EXPECT_EQ(daemon.wait(soon(), {}), State::kEnded);
  EXPECT_EQ(daemon.output(), "out\nwhy\n");
  EXPECT_EQ(daemon.exit_code(), 2);
}

TEST_F(DaemonLauncher, ADaemonKilledBeforeItIsReadyIsASignalsExitCode) {
  LaunchedDaemon daemon(script("kill -9 $$\n"), {});
  EXPECT_EQ(daemon.wait(soon(), {}), State::kEnded);
  EXPECT_EQ(daemon.exit_code(), 128 + SIGKILL);
}

TEST_F(DaemonLauncher, AProgramThatIsNotThereIsAnExitCode) {
  LaunchedDaemon daemon(directory_.path() / "missing", {});
  EXPECT_EQ(daemon.wait(soon(), {}), State::kEnded);
  EXPECT_EQ(daemon.exit_code(), 127);
}

TEST_F(DaemonLauncher, TheWaitEndsWhenTheDaemonTakesTooLong) {
  LaunchedDaemon daemon(script("exec sleep 60\n"), {});
  EXPECT_EQ(daemon.wait(Clock::now() + milliseconds(50), {}), State::kWaiting);
  EXPECT_EQ(daemon.wait(soon(), [] { return false; }), State::kWaiting);
  EXPECT_EQ(::kill(daemon.pid(), SIGKILL), 0);
  EXPECT_EQ(::waitpid(daemon.pid(), nullptr, 0), daemon.pid());
}

TEST_F(DaemonLauncher, TheDaemonHasItsOwnSessionAndADefaultSigpipe) {
  const auto facts = directory_.path() / "facts";
  const auto previous = ::signal(SIGPIPE, SIG_IGN);
  LaunchedDaemon daemon(
      script("echo $$ $(cut -d' ' -f6 /proc/$$/stat) $(grep SigIgn /proc/$$/status | cut -f2) > " +
             facts.string() + "\n" + kSayReady),
      {});
  EXPECT_EQ(daemon.wait(soon(), {}), State::kReady);
  ::signal(SIGPIPE, previous);
  ASSERT_EQ(::waitpid(daemon.pid(), nullptr, 0), daemon.pid());
  pid_t pid = 0, session = 0;
  std::string ignored;
  std::ifstream(facts) >> pid >> session >> ignored;
  EXPECT_EQ(pid, daemon.pid());
  EXPECT_EQ(session, daemon.pid());
  EXPECT_EQ(std::stoull(ignored, nullptr, 16) & (1ULL << (SIGPIPE - 1)), 0U) << ignored;
}

TEST_F(DaemonLauncher, WhatADaemonPrintsIsCollected) {
  const DaemonOutput output =
      run_daemon(script("echo \"$*\"; echo hidden >&2; exit 3\n"), {"config-show", "--json"}, false);
  EXPECT_EQ(output.text, "config-show --json\n");
  EXPECT_EQ(output.exit_code, 3);
}

TEST_F(DaemonLauncher, ADaemonThatPrintsWithoutEndIsCut) {
  const DaemonOutput output = run_daemon(script("exec yes\n"), {}, false);
  EXPECT_LT(output.text.size(), 2U * 1024 * 1024);
  EXPECT_NE(output.exit_code, 0);
}

TEST_F(DaemonLauncher, ThePidIsTheFirstLineOfTheLock) {
  EXPECT_EQ(recorded_agent_pid(directory_.path()), std::nullopt);
  directory_.write("lock", "4242\n");
  EXPECT_EQ(recorded_agent_pid(directory_.path()), 4242);
  for (const char* text : {"", "\n", "-5\n", "0\n", "agent\n", "99999999999999999999\n"}) {
    directory_.write("lock", text);
    EXPECT_EQ(recorded_agent_pid(directory_.path()), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace codex
