#include "agent/record/backend_record.h"

#include "agent/os/signal_name.h"
#include "probes/hang/hang_class.h"

namespace codex {

namespace {

template <typename Names>
Counts zeroes(const Names& names) {
  Counts counts;
  for (const auto name : names) counts[std::string(name)] = 0;
  return counts;
}

}  // namespace

BackendRecord::BackendRecord() {
  record_.restarts = zeroes(kRestartReasons);
  record_.start_failures = zeroes(kStartFailureReasons);
  record_.exits = zeroes(kExitOutcomes);
  record_.exit_causes = zeroes(kExitCauses);
  for (const HangClass hang : kHangClasses) {
    record_.hangs[std::string(to_string(hang))] = 0;
    record_.workers.hangs[std::string(to_string(hang))] = 0;
  }
  record_.state_entries = zeroes(kStates);
  record_.stop_signals = {{"SIGTERM", 0}, {"SIGKILL", 0}};
}

void BackendRecord::started() {
  ++record_.starts;
}
void BackendRecord::start_failed(std::string_view reason) {
  ++record_.start_failures[std::string(reason)];
}
void BackendRecord::restarted(Cause cause) {
  ++record_.restarts[std::string(restart_reason(cause))];
}
void BackendRecord::hang(std::string_view hang_class, double detection_delay_seconds) {
  record_.hang_detection_delay.observe(detection_delay_seconds);
  ++record_.hangs[std::string(hang_class)];
}
void BackendRecord::stop_signal(const std::string& signal) {
  ++record_.stop_signals[signal];
}

void BackendRecord::diagnosed(Cause cause, const std::string& why) {
  ++record_.exit_causes[std::string(to_string(cause))];
  if (!record_.last_exit || !record_.last_exit->cause.empty()) return;
  record_.last_exit->cause = to_string(cause);
  record_.last_exit->why = why;
}

void BackendRecord::exited(const ExitStatus& status, WallTime at) {
  LastExit exit;
  exit.at = at;
  if (!status.known) {  // Not our child: that it ended is all that can be known.
    record_.last_exit.reset();
    return;
  }
  if (status.signal != 0) {
    exit.outcome = "signal";
    exit.code = 128 + status.signal;
    exit.signal = signal_name(status.signal);
  } else {
    exit.outcome = status.code == 0 ? "exit_zero" : "exit_nonzero";
    exit.code = status.code;
  }
  ++record_.exits[exit.outcome];
  record_.last_exit = exit;
}

const LastTransition& BackendRecord::entered(std::string_view state, std::string_view reason,
                                             std::string detail, WallTime at) {
  record_.last_transition =
      LastTransition{at, state_, std::string(state), std::string(reason), std::move(detail)};
  state_ = state;
  ++record_.state_entries[state_];
  return *record_.last_transition;
}

bool BackendRecord::explained(std::string_view reason, std::string detail) {
  if (!record_.last_transition || record_.last_transition->reason == reason) return false;
  record_.last_transition->reason = reason;
  record_.last_transition->detail = std::move(detail);
  return true;
}

void BackendRecord::startup_completed(const std::vector<std::pair<std::string, double>>& phases,
                                      double seconds) {
  record_.startup.phases = phases;
  record_.startup.duration_seconds = seconds;
  record_.startup_duration.observe(seconds);
}

void BackendRecord::trouble(TimePoint now) {
  if (!trouble_since_) trouble_since_ = now;
}

void BackendRecord::recovered(TimePoint now) {
  if (trouble_since_) record_.recovery_duration.observe(to_seconds(now - *trouble_since_));
  trouble_since_.reset();
}

std::string BackendRecord::describe_last_exit() const {
  if (!record_.last_exit) return "exit status unknown";
  const auto& exit = *record_.last_exit;
  return exit.signal ? "signal " + *exit.signal : "exit code " + std::to_string(exit.code);
}

BackendHistory BackendRecord::history() const {
  return {record_.starts,        record_.start_failures, record_.restarts,
          record_.exits,         record_.exit_causes,    record_.stop_signals,
          record_.state_entries, record_.last_exit,      record_.startup};
}

void BackendRecord::restore(const BackendHistory& history) {
  const auto take = [](Counts& mine, const Counts& theirs) {
    for (const auto& [key, count] : theirs) mine[key] = count;
  };
  record_.starts = history.starts;
  take(record_.start_failures, history.start_failures);
  take(record_.restarts, history.restarts);
  take(record_.exits, history.exits);
  take(record_.exit_causes, history.exit_causes);
  take(record_.stop_signals, history.stop_signals);
  take(record_.state_entries, history.state_entries);
  record_.last_exit = history.last_exit;
  record_.startup = history.startup;
}

void BackendRecord::fill(BackendSnapshot& snapshot) const {
  snapshot.starts = record_.starts;
  snapshot.start_failures = record_.start_failures;
  snapshot.restarts = record_.restarts;
  snapshot.exits = record_.exits;
  snapshot.exit_causes = record_.exit_causes;
  snapshot.hangs = record_.hangs;
  snapshot.workers.hangs = record_.workers.hangs;
  snapshot.hang_duration = record_.hang_duration;
  snapshot.hang_detection_delay = record_.hang_detection_delay;
  snapshot.stop_signals = record_.stop_signals;
  snapshot.state_entries = record_.state_entries;
  snapshot.last_exit = record_.last_exit;
  snapshot.last_end = record_.last_end;
  snapshot.last_transition = record_.last_transition;
  snapshot.startup = record_.startup;
  snapshot.startup_duration = record_.startup_duration;
  snapshot.recovery_duration = record_.recovery_duration;
}

}  // namespace codex
