#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "exporters/histogram.h"
#include "exporters/snapshot.h"
#include "probes/probe_result.h"
#include "probes/probe_spec.h"

namespace codex {

/// What is known of one configured probe: its counters since the agent began, its present run of failures or
/// successes, and whether it counts as failing (Kubernetes' failureThreshold and successThreshold). Pure.
class ProbeTracker {
 public:
  explicit ProbeTracker(ProbeSpec spec);

  /// One attempt, begun at `began`, ended. An unknown outcome is shown but moves no run and no verdict.
  void record(const ProbeResult& result, TimePoint began, WallTime ended);

  /// Why a failure is no reason to restart: "overloaded", "uses 98 % of a CPU ...".
  struct Excuse {
    std::string reason, detail;
  };
  /// What has failed so far, or began to be asked before `now`, counts towards no restart: its cause is
  /// known. `excuse` is that of the newest failure, and is forgotten with the next result.
  void forgive(TimePoint now, std::optional<Excuse> excuse = std::nullopt);

  /// A new generation of the backend: runs and verdict start afresh, counters go on.
  void begin_generation();

  [[nodiscard]] const ProbeSpec& spec() const { return spec_; }
  [[nodiscard]] bool succeeding() const { return successes_ >= spec_.success_threshold; }
  [[nodiscard]] bool failing() const { return failing_; }
  [[nodiscard]] Outcome last_outcome() const { return last_.outcome; }
  [[nodiscard]] Reason last_reason() const { return last_.reason; }
  [[nodiscard]] Duration last_elapsed() const { return last_.elapsed; }
  [[nodiscard]] const std::string& last_detail() const { return last_.detail; }
  /// When the present run of successes began; nullopt without one.
  [[nodiscard]] std::optional<TimePoint> succeeding_since() const { return succeeding_since_; }
  /// When the last successful attempt of this generation began.
  [[nodiscard]] std::optional<TimePoint> last_success_began() const { return last_success_began_; }
  /// When the oldest of the newest failure_threshold failures in a row that count began; nullopt while there
  /// are fewer.
  [[nodiscard]] std::optional<TimePoint> threshold_began() const;

  /// When the last attempt ended, whatever came of it; nullopt before the first.
  [[nodiscard]] std::optional<TimePoint> last_ended() const { return last_ended_; }

  /// Of the newest failure.
  [[nodiscard]] const std::optional<Excuse>& excuse() const { return excuse_; }
  /// The newest attempt had a good answer, which was still on its way.
  [[nodiscard]] bool flows() const { return last_.flows; }

  [[nodiscard]] ProbeSnapshot snapshot() const;

 private:
  ProbeSpec spec_;
  ProbeResult last_;
  bool attempted_ = false;
  bool failing_ = false;
  int failures_ = 0, successes_ = 0;
  std::optional<TimePoint> last_success_began_, succeeding_since_, last_ended_;
  std::deque<TimePoint> failures_began_;  ///< of the present run that count, the newest failure_threshold
  std::optional<TimePoint> count_from_;
  std::optional<Excuse> excuse_;
  std::uint64_t attempts_ = 0;
  Counts failures_by_reason_;
  Histogram duration_{kProbeBounds};
  std::optional<WallTime> last_attempt_, last_success_;
};

}  // namespace codex
