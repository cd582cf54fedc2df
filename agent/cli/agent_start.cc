#include "agent/cli/agent_start.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "agent/cli/daemon_launcher.h"
#include "agent/cli/exit_code.h"
#include "agent/cli/terminal.h"

namespace codex {
namespace {

constexpr Duration kReadyLimit = std::chrono::seconds(30);
constexpr Duration kOtherAgentLimit = std::chrono::seconds(5);

/// Ours could not start. If that is because another agent has the lock, it may not listen yet.
bool other_agent_listens(const CommandContext& context, pid_t ours) {
  const TimePoint deadline = Clock::now() + kOtherAgentLimit;
  while (Clock::now() < deadline && !InterruptGuard::interrupted()) {
    if (context.client.agent_listens()) return true;
    const auto holder = recorded_agent_pid(context.locations.state_directory);
    if (!holder || *holder == ours || (::kill(*holder, 0) != 0 && errno == ESRCH)) return false;
    ::poll(nullptr, 0, 20);
  }
  return false;
}

}  // namespace

int start_agent(const CommandContext& context, std::optional<TimePoint> until) {
  std::vector<std::string> arguments = context.invocation.location_arguments();
  for (const std::string& argument : context.invocation.run_arguments()) arguments.push_back(argument);
  LaunchedDaemon daemon(find_daemon(), arguments);
  const TimePoint deadline = std::min(Clock::now() + kReadyLimit, until.value_or(TimePoint::max()));
  switch (daemon.wait(deadline, [] { return !InterruptGuard::interrupted(); })) {
    case LaunchedDaemon::State::kReady:
      return kExitOk;
    case LaunchedDaemon::State::kEnded:
      if (!context.invocation.replace && other_agent_listens(context, daemon.pid())) return kExitOk;
      write_text(STDERR_FILENO, daemon.output());
      return daemon.exit_code() == kExitOk ? kExitFailed : daemon.exit_code();
    case LaunchedDaemon::State::kWaiting:
      break;
  }
  if (InterruptGuard::interrupted()) {
    print_error("stopped waiting; the agent may still start - see " + suggest(context, "status"));
    return kExitInterrupted;
  }
  print_error("the agent (pid " + std::to_string(daemon.pid()) + ") is not ready yet; it was left to start");
  return kExitTimedOut;
}

}  // namespace codex
