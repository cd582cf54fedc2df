#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/evidence/evidence_recorder.h"
#include "agent/os/schedule.h"
#include "agent/policy/hang_policy.h"
#include "agent/record/backend_record.h"
#include "agent/record/logger.h"
#include "agent/supervision/report.h"
#include "probes/hang/hang_verdict.h"

namespace codex {

/// What is done about single workers of a backend that make no progress while others do: they are told,
/// evidence is taken, and with `hang.worker.action = "kill"` the one that hangs is ended, once it is known that
/// its master replaces it. Loop thread.
class WorkerResponse {
 public:
  static constexpr Duration kGrace = std::chrono::seconds(2);            ///< from SIGTERM to SIGKILL
  static constexpr Duration kReplacedWithin = std::chrono::seconds(10);  ///< else the backend is restarted

  struct Hands {
    std::function<void(EvidenceRequest, EvidenceRecorder::Done)> capture;
    std::function<void(const ProcessId&, int signal)> signal;
    std::function<void()> changed;  ///< what is known is not what it was
    std::function<void(const Report&)> restart;
  };
  /// Everything outlives it.
  WorkerResponse(const BackendConfig& config, const Schedule& schedule, BackendRecord& record, Logger& log,
                 const Redactor& redactor, Hands hands);

  /// The newest look: who serves, and who of them is stuck. `all`: the whole backend hangs, which is told and
  /// dealt with elsewhere.
  void follow(const std::vector<ProcessId>& serving, const std::vector<StuckWorker>& stuck, bool all);
  /// The backend is on its way down.
  void stop();

  /// "1 of 3 workers: spin in reckon (server.js, from line 4), pid 4711"; "" while none hangs.
  [[nodiscard]] std::string sentence() const;
  /// Its reason.
  [[nodiscard]] std::string detail() const;

  void fill(BackendSnapshot& snapshot) const;

 private:
  struct Told {
    StuckWorker worker;
    WallTime since{};
    std::string where, evidence;
    std::optional<TimePoint> terminated, killed;
    bool unable_said = false;
  };
  void tell(const StuckWorker& worker);
  void captured(const ProcessId& id, const std::optional<EvidenceRecorder::Answer>& answer);
  void note_replacements(const std::vector<ProcessId>& serving);
  void act(Told& told);
  void look_for_the_replacement();

  const BackendConfig& config_;
  const Schedule& schedule_;
  BackendRecord& record_;
  Logger& log_;
  const Redactor& redactor_;
  Hands hands_;
  HangPolicy patience_;
  std::vector<ProcessId> serving_;
  std::map<ProcessId, Told> told_;
  std::optional<TimePoint> one_left_;              ///< a worker went while others stayed
  std::optional<TimePoint> to_be_replaced_since_;  ///< we ended one
  std::size_t wanted_ = 0;                         ///< how many served before that
  bool replaces_ = false;                          ///< its master has been seen to replace a worker
};

}  // namespace codex
