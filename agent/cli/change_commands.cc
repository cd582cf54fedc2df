#include "agent/cli/change_commands.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/cli/agent_start.h"
#include "agent/cli/daemon_launcher.h"
#include "agent/cli/exit_code.h"
#include "agent/cli/operation_wait.h"
#include "agent/cli/progress.h"
#include "agent/cli/status_text.h"
#include "agent/cli/terminal.h"
#include "agent/os/process_table.h"

namespace codex {
namespace {

using Trouble = ControlClient::Trouble;
constexpr Duration kRedrawPeriod = std::chrono::milliseconds(90);  // an eye sees no more
constexpr Duration kAgentExitLimit = std::chrono::seconds(10);
constexpr Duration kSuccessorLimit = std::chrono::seconds(10);
constexpr Duration kLastMoment = std::chrono::seconds(1);

bool starts(const std::string& verb) {
  return verb == "start" || verb == "restart";
}

int answer_without_agent(const CommandContext& context) {
  const std::string& verb = context.invocation.verb;
  if (context.invocation.json)
    print_document(R"({"command":")" + verb + R"(","done":true,"results":[],"status":null})");
  else
    print("not running (no agent)\n");
  return kExitOk;
}

/// Shows the wait: one live line on a terminal, else a line for every change; nothing with --json.
class Display {
 public:
  explicit Display(bool quiet) : quiet_(quiet), live_(stdout_is_terminal()) {}

  void show(const OperationDocument& operation) {
    if (quiet_) return;
    if (live_) {
      const TimePoint now = Clock::now();
      if (now - drawn_ < kRedrawPeriod) return;
      drawn_ = now;
      line_.show(Progress::live_line(operation, now - began_));
      return;
    }
    for (const std::string& line : progress_.new_lines(operation)) print(line + "\n");
  }

  void clear() { line_.clear(); }

 private:
  bool quiet_, live_;
  TimePoint began_ = Clock::now(), drawn_{};
  Progress progress_;
  LiveLine line_;
};

void print_results(const CommandContext& context, const OperationDocument& operation) {
  for (const BackendResult& result : operation.results) {
    const std::string line = result.backend + ": " + (result.message.empty() ? "done" : result.message);
    if (result.code == kExitOk) {
      print(line + "\n");
      continue;
    }
    print_error(line);
    if (!result.output.empty()) print_error("the last lines of its output:");
    for (const std::string& said : result.output) write_text(STDERR_FILENO, "  | " + said + "\n");
    print_error((result.output.empty() ? "its output: " : "all of it: ") + suggest(context, "logs") +
                (operation.results.size() > 1 ? " " + result.backend : ""));
  }
  if (!starts(context.invocation.verb)) return;
  for (const BackendStatus& backend : operation.status.backends) {
    const bool started =
        std::any_of(operation.results.begin(), operation.results.end(), [&](const BackendResult& result) {
          return result.backend == backend.name && result.code == kExitOk;
        });
    if (started) print(render_backend(backend, use_colour()));
  }
}

/// Who listens once an agent has ended.
enum class Next { kNobody, kSuccessor };

/// Waits until the agent behind `agent_pidfd` has ended, a moment after its answer, and `next` has come true: only
/// when nobody listens may another agent be started.
bool wait_for_end(const CommandContext& context, int agent_pidfd, Next next, TimePoint deadline) {
  pollfd entry{agent_pidfd, POLLIN, 0};
  while (Clock::now() < deadline && !InterruptGuard::interrupted()) {
    const bool ended = agent_pidfd < 0 || ::poll(&entry, 1, 20) == 1;
    if (!ended) continue;
    if (context.client.agent_listens() == (next == Next::kSuccessor)) return true;
    ::poll(nullptr, 0, 20);
  }
  return false;
}

UniqueFd open_agent(const CommandContext& context) {
  const auto pid = recorded_agent_pid(context.locations.state_directory);
  return pid ? open_pidfd(*pid) : UniqueFd();
}

int report_end(const CommandContext& context, const WaitResult& wait) {
  const std::string& verb = context.invocation.verb;
  const std::string goes_on = "the " + verb + " goes on - see " + suggest(context, "status");
  switch (wait.end) {
    case WaitResult::End::kDone:
      return kExitOk;
    case WaitResult::End::kHandedOver:
      print_error("another agent is taking over, and does not answer yet; " + goes_on);
      return kExitNoAgent;
    case WaitResult::End::kInterrupted:
      print_error("stopped waiting; " + goes_on);
      return kExitInterrupted;
    case WaitResult::End::kTimeLimit:
      print_error("no result within --timeout; " + goes_on);
      return kExitTimedOut;
    case WaitResult::End::kAgentGone:
      print_error("the agent died during the " + verb + "; the backends were left as they are, and " +
                  suggest(context, "start") + " takes them over");
      return kExitNoAgent;
    case WaitResult::End::kNoAnswer:
      return report_trouble(context, Trouble::kNoAnswer);
    case WaitResult::End::kBadAnswer:
      print_error("the agent gave no usable answer during the " + verb +
                  (wait.error.empty() ? "" : ": " + wait.error));
      return kExitNoAgent;
  }
  return kExitFailed;
}

int finish_shutdown(const CommandContext& context, const WaitResult& wait, int agent_pidfd,
                    TimePoint deadline) {
  if (!wait_for_end(context, agent_pidfd, Next::kNobody, deadline)) {
    if (InterruptGuard::interrupted())
      return report_end(context, {WaitResult::End::kInterrupted, {}, {}, {}});
    print_error("the agent has not ended yet; see " + suggest(context, "status"));
    return kExitTimedOut;
  }
  const int code = worst_result_code(wait.operation);
  if (context.invocation.json)
    print_document(wait.document.empty() ? R"({"command":"shutdown","done":true,"results":[],"status":null})"
                                         : render_operation_answer(wait.document));
  else if (code == kExitOk)
    print("the agent has ended\n");
  return code;
}

/// Returns the exit code; nullopt if the next agent has to be asked.
std::optional<int> follow(const CommandContext& context, std::uint64_t operation, int agent_pidfd,
                          std::optional<TimePoint> until) {
  Display display(context.invocation.json);
  WaitOptions options;
  options.until = until;
  options.interrupted = InterruptGuard::interrupted;
  options.show = [&](const OperationDocument& news) { display.show(news); };
  const WaitResult wait = wait_for_operation(context.client, operation, options);
  display.clear();

  const bool shutdown = context.invocation.verb == "shutdown";
  const bool agent_left =
      shutdown && (wait.end == WaitResult::End::kAgentGone || wait.end == WaitResult::End::kBadAnswer);
  if (wait.end == WaitResult::End::kHandedOver) return std::nullopt;
  if (wait.end != WaitResult::End::kDone && !agent_left) return report_end(context, wait);
  if (!context.invocation.json) print_results(context, wait.operation);
  if (shutdown)
    return finish_shutdown(context, wait, agent_pidfd, until.value_or(Clock::now() + kAgentExitLimit));
  if (context.invocation.json) print_document(render_operation_answer(wait.document));
  return worst_result_code(wait.operation);
}

}  // namespace

int worst_result_code(const OperationDocument& operation) {
  int worst = kExitOk;
  for (const BackendResult& result : operation.results) {
    if (result.code == kExitRefused) return kExitRefused;
    if (result.code != kExitOk) worst = kExitFailed;
  }
  return worst;
}

int run_change_command(const CommandContext& context) {
  const Invocation& invocation = context.invocation;
  const InterruptGuard guard;
  const std::optional<TimePoint> until =
      invocation.time_limit ? std::optional(Clock::now() + *invocation.time_limit) : std::nullopt;
  const std::string body = render_request(invocation.names);
  const auto not_interrupted = [] { return !InterruptGuard::interrupted(); };
  std::string verb = invocation.verb;
  const auto ask = [&] {
    return context.client.post("/v1/" + verb, body, ControlClient::kPlainDeadline, not_interrupted);
  };

  for (;;) {
    UniqueFd agent = open_agent(context);
    auto reply = ask();
    // One that has just been killed may have been connected to.
    const bool none = reply.trouble == Trouble::kNoAgent ||
                      (reply.trouble == Trouble::kBroken &&
                       wait_for_end(context, agent.get(), Next::kNobody, Clock::now() + kLastMoment));
    if (none) {
      // A socket without an agent means that one was killed: a new one finds what it left running, and stops
      // it.
      const bool killed = std::filesystem::exists(context.locations.state_directory / "control.sock");
      if (!starts(verb) && !killed) return answer_without_agent(context);
      if (const int code = start_agent(context, until); code != kExitOk) return code;
      agent = open_agent(context);
      reply = ask();
    }
    if (reply.trouble != Trouble::kNone) return report_trouble(context, reply.trouble);
    const auto operation = parse_operation_id(reply.body);
    const bool accepted = reply.status == 202 && operation;
    if (!accepted && !says_handed_over(reply.body)) return report_refusal(reply);
    if (accepted && !invocation.wait) {
      if (invocation.json)
        print_document(reply.body);
      else
        print(verb + " requested; see " + suggest(context, "status") + "\n");
      return kExitOk;
    }
    if (accepted) {
      if (const auto code = follow(context, *operation, agent.get(), until)) return *code;
      // The stop that a restart begins with need not be repeated: what was told to end is not taken over.
      if (verb == "restart") verb = "start";
    }
    const TimePoint patience = Clock::now() + kSuccessorLimit;
    if (!wait_for_end(context, agent.get(), Next::kSuccessor, std::min(patience, until.value_or(patience))))
      return report_end(context, {WaitResult::End::kHandedOver, {}, {}, {}});
  }
}

}  // namespace codex
