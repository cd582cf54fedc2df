#pragma once

#include <optional>
#include <string>
#include <utility>

#include "agent/os/clock.h"
#include "agent/os/exit_status.h"
#include "agent/policy/cause.h"
#include "exporters/snapshot.h"

namespace codex {

/// The part of a record that the next agent goes on from.
struct BackendHistory {
  std::uint64_t starts = 0;
  Counts start_failures, restarts, exits, exit_causes, stop_signals, state_entries;
  std::optional<LastExit> last_exit;
  StartupSnapshot startup;  ///< of the last completed start
};

/// What has happened to one backend since the agent began: its counters, its last exit and last transition.
/// Every counter exists from the start with all its label values. Plain bookkeeping, no decisions.
class BackendRecord {
 public:
  BackendRecord();

  void started();
  void start_failed(std::string_view reason);  ///< of kStartFailureReasons
  void restarted(Cause cause);                 ///< counted under one of kRestartReasons
  void exited(const ExitStatus& status, WallTime at);
  /// Why it ended without being asked to: the leader, which has just exited(), or an application below it.
  /// `why`: the line that said so, with its place, safe to show; "" without one.
  void diagnosed(Cause cause, const std::string& why = "");
  /// `told`: the sentence that tells this end, safe to show.
  void ended(std::string told, WallTime at) { record_.last_end = LastEnd{at, std::move(told)}; }
  void stop_signal(const std::string& signal);
  void hang(std::string_view hang_class, double detection_delay_seconds);
  /// Of a single worker, while others go on.
  void worker_hang(std::string_view hang_class) { ++record_.workers.hangs[std::string(hang_class)]; }
  void hang_ended(double seconds) { record_.hang_duration.observe(seconds); }
  /// The exported state changed. Returns the transition.
  const LastTransition& entered(std::string_view state, std::string_view reason, std::string detail,
                                WallTime at);
  /// The exported state is what it was, for another reason. False if that was known.
  bool explained(std::string_view reason, std::string detail);
  void startup_completed(const std::vector<std::pair<std::string, double>>& phases, double seconds);

  /// Recovery: from the moment trouble was seen until ready again.
  void trouble(TimePoint now);
  void recovered(TimePoint now);
  void no_trouble() { trouble_since_.reset(); }

  [[nodiscard]] const std::string& state() const { return state_; }
  [[nodiscard]] std::string describe_last_exit() const;  ///< "exit code 3", "signal SIGKILL"

  [[nodiscard]] BackendHistory history() const;
  void restore(const BackendHistory& history);

  /// Writes everything recorded into `snapshot`.
  void fill(BackendSnapshot& snapshot) const;

 private:
  BackendSnapshot record_;
  std::string state_ = "stopped";
  std::optional<TimePoint> trouble_since_;
};

}  // namespace codex
