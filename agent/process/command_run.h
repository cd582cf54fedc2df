#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/os/event_loop.h"
#include "agent/os/spawn.h"
#include "agent/process/process_tree.h"
#include "agent/text/redactor.h"

namespace codex {

/// Environment variable that marks the processes of such a run; its value is AGENT_ID/RUN/1/LEADER. It is not
/// the backends' kTokenVariable, so that no backend takes them for its own.
inline constexpr const char* kRunVariable = "CODEX_AGENT_HOOK";

/// One run of a command with a document on its stdin, and whatever came of it: an event hook, a look at a
/// hang. Loop thread.
///
/// Passive: the owner reports exits and calls follow() when due() has come. What lives at the deadline,
/// the command or processes that it left behind, gets SIGTERM and a second later SIGKILL.
class CommandRun {
 public:
  struct Result {
    enum class Outcome { kSuccess, kFailure, kTimeout };
    Outcome outcome = Outcome::kSuccess;
    std::string why;     ///< "" on success, else e.g. "exit code 3"
    std::string output;  ///< the last lines of its stderr, without secrets
  };

  /// Starts it. `request` needs no descriptors; its stdout goes where it says, or nowhere. Never throws for a
  /// command that cannot be started: that is a result.
  CommandRun(EventLoop& loop, const Redactor& redactor, SpawnRequest request, const std::string& document,
             const TreeIdentity& identity, Duration time_limit);

  /// The reaper's report.
  bool on_reaped(pid_t pid, const ExitStatus& status) { return tree_.on_reaped(pid, status); }

  /// Sends the signals that are due.
  void follow(TimePoint now);
  [[nodiscard]] TimePoint due() const { return due_; }

  /// SIGKILL now; a command that has not ended by then counts as timed out.
  void kill(TimePoint now);

  /// There once the command itself has ended, or has outlived SIGKILL for a second (uninterruptible sleep).
  [[nodiscard]] const std::optional<Result>& result() const { return result_; }

  /// Nothing of it lives any more.
  bool gone() { return !tree_.leader() && tree_.is_surely_empty(); }

 private:
  enum class Phase { kRunning, kTerminated, kKilled };

  void start(SpawnRequest request, const std::string& document);
  bool read_stderr();
  void ended(const ExitStatus& status);
  void settle(Result::Outcome outcome, std::string why);
  [[nodiscard]] std::string last_lines() const;

  EventLoop& loop_;
  const Redactor& redactor_;
  Duration time_limit_;
  Phase phase_ = Phase::kRunning;
  TimePoint due_, killed_at_{};
  bool timed_out_ = false;
  std::optional<Result> result_;
  std::string tail_;  // of its stderr
  bool tail_is_cut_ = false;
  ProcessTree tree_;
  UniqueFd stderr_;
  FdWatch stderr_watch_;  // keep last
};

std::string_view to_string(CommandRun::Result::Outcome outcome);  ///< "success" "failure" "timeout"

}  // namespace codex
