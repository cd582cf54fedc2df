#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "agent/os/schedule.h"
#include "agent/policy/probe_tracker.h"
#include "agent/record/backend_record.h"
#include "agent/record/event_history.h"
#include "agent/record/logger.h"
#include "agent/record/recent_history.h"
#include "agent/text/redactor.h"

namespace codex {

/// What people are told of one backend: its counters, its last hour, its changes of state, and the sentence
/// that says what is wrong. Decides nothing. Loop thread.
class BackendStory {
 public:
  /// `probes`: their names. Everything outlives it.
  BackendStory(std::string backend, std::vector<std::string> probes, const Schedule& schedule, Logger& log,
               const Redactor& redactor, EventHistory& events);

  [[nodiscard]] BackendRecord& record() { return record_; }
  [[nodiscard]] const BackendRecord& record() const { return record_; }

  /// Takes up what earlier agents wrote down. `alive`: something of the backend lives.
  void recall(bool alive);
  /// An agent goes on from there.
  void agent_started();

  /// Why the last start failed, or the state is what it is; "" when all is well. Safe to show.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  void tell_problem(std::string problem) { problem_ = std::move(problem); }

  /// It is in trouble since now at the latest, until it is well() or nobody wants it any more.
  void ill() { record_.trouble(schedule_.now()); }
  void well() { record_.recovered(schedule_.now()); }

  /// The exported state (of kStates) is `state`; if that is new, everybody is told once, and why. `detail` is
  /// made safe to show.
  void publish(std::string_view state, std::string_view reason, const std::string& detail);

  /// The exported state stays, and its reason is known better now: everybody is told once.
  void explain(std::string_view reason, const std::string& detail);

  /// The probe with this index has been asked.
  void note_answer(std::size_t index, const ProbeTracker& probe);
  void note_usage(double used_bytes, std::optional<double> cpu_ratio);

  void fill(BackendSnapshot& snapshot) const { record_.fill(snapshot); }
  /// The last hour, with the newest events.
  [[nodiscard]] BackendRecent recent() const;

 private:
  void tell(std::string_view event, const LastTransition& change, bool bad);

  std::string backend_;
  const Schedule& schedule_;
  Logger& log_;
  const Redactor& redactor_;
  EventHistory& events_;
  BackendRecord record_;
  RecentHistory recent_;
  std::string problem_;
};

}  // namespace codex
