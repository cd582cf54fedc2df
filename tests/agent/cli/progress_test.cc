#include "agent/cli/progress.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::milliseconds;

OperationDocument operation_with(std::initializer_list<std::pair<const char*, const char*>> states) {
  OperationDocument operation;
  for (const auto& [name, state] : states) {
    operation.results.push_back({name, "", false, 0, {}});
    BackendStatus& backend = operation.status.backends.emplace_back();
    backend.name = name;
    backend.state = state;
  }
  return operation;
}

TEST(Progress, TheLiveLineShowsReachedPhasesAndTheOneUnderWay) {
  OperationDocument operation = operation_with({{"codex", "starting"}});
  operation.status.backends[0].startup_phases = {{"spawn", 0.01}};
  operation.status.backends[0].waiting_for = "listen";
  EXPECT_EQ(Progress::live_line(operation, milliseconds(2110)),
            "codex   starting 2.1 s   spawn 0.01 ✓  listen 2.10 …");
}

TEST(Progress, APhaseIsNeverNegative) {
  OperationDocument operation = operation_with({{"codex", "starting"}});
  operation.status.backends[0].startup_phases = {{"spawn", 0.5}};
  operation.status.backends[0].waiting_for = "listen";
  EXPECT_EQ(Progress::live_line(operation, milliseconds(100)),
            "codex   starting 0.1 s   spawn 0.50 ✓  listen 0.00 …");
}

TEST(Progress, SeveralBackendsShareTheLineAndDoneOnesStopTheirClock) {
  OperationDocument operation = operation_with({{"api", "stopping"}, {"web", "stopped"}});
  operation.results[1].done = true;
  EXPECT_EQ(Progress::live_line(operation, milliseconds(1500)), "api   stopping 1.5 s | web   stopped");
}

TEST(Progress, ABackendOutsideOfTheOperationIsNotShown) {
  OperationDocument operation = operation_with({{"api", "starting"}, {"web", "running"}});
  operation.results.pop_back();
  EXPECT_EQ(Progress::live_line(operation, milliseconds(1000)), "api   starting 1.0 s");
}

TEST(Progress, OnlyChangesBecomeLines) {
  using Lines = std::vector<std::string>;
  Progress progress;
  OperationDocument operation = operation_with({{"codex", "starting"}});
  BackendStatus& backend = operation.status.backends[0];
  EXPECT_EQ(progress.new_lines(operation), Lines{"codex   starting"});
  EXPECT_EQ(progress.new_lines(operation), Lines{});
  backend.startup_phases = {{"spawn", 0.01}};
  backend.waiting_for = "listen";
  EXPECT_EQ(progress.new_lines(operation), Lines{"codex   starting   spawn 0.01 ✓  listen …"});
  backend.state = "running";
  backend.health = "healthy";
  EXPECT_EQ(progress.new_lines(operation), Lines{"codex   running, healthy"});
  EXPECT_EQ(progress.new_lines(operation), Lines{});
}

TEST(Progress, ABackoffSaysWhatEndedTheLastAttempt) {
  Progress progress;
  OperationDocument operation = operation_with({{"codex", "backoff"}});
  operation.status.backends[0].last_exit = "exit code 1";
  EXPECT_EQ(progress.new_lines(operation), std::vector<std::string>{"codex   backoff   exit code 1"});
  operation.status.backends[0].last_exit_why = "TypeError: x (server.js:20)";
  EXPECT_EQ(progress.new_lines(operation),
            std::vector<std::string>{"codex   backoff   exit code 1: TypeError: x (server.js:20)"});
}

}  // namespace
}  // namespace codex
