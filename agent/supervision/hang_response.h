#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/config/config.h"
#include "agent/evidence/evidence_recorder.h"
#include "agent/os/schedule.h"
#include "agent/policy/health.h"
#include "agent/policy/lifecycle.h"
#include "agent/record/backend_record.h"
#include "agent/record/logger.h"
#include "agent/supervision/hang_watch.h"
#include "agent/supervision/report.h"
#include "agent/supervision/worker_response.h"

namespace codex {

/// What is done about a backend's hangs: they are told, evidence is taken, and what the hang policy decides is
/// carried out. One hang is one incident. Loop thread.
class HangResponse {
 public:
  struct Hands {
    /// Has evidence taken; the request lacks who and where it is.
    std::function<void(EvidenceRequest, EvidenceRecorder::Done)> capture;
    std::function<bool()> capturing;  ///< evidence of this backend is being taken
    std::function<void()> continue_server;
    std::function<void(const ProcessId&, int signal)> signal_worker;
    std::function<void()> ask_http;  ///< a hang is suspected: the answer of a probe would be one more vote
    std::function<void()> changed;   ///< what is known of a hang is not what it was
    std::function<void()> forgive;   ///< failures of probes up to now had this cause
    std::function<void(const Report&)> restart;  ///< it is time
  };
  /// `members`: as HangWatch wants them. Everything outlives it.
  HangResponse(const BackendConfig& config, EventLoop& loop, std::function<std::vector<ProcStat>()> members,
               const Schedule& schedule, const Lifecycle& lifecycle, BackendRecord& record, Logger& log,
               const Redactor& redactor, Hands hands);

  /// Who looks, and is to be told whom to look at.
  [[nodiscard]] HangWatch& watch() { return watch_; }

  /// What the watch has seen: HangWatch::Events.
  void half_way(const HangVerdict& verdict);
  void confirmed(const HangVerdict& verdict);
  void due(const HangVerdict& verdict, const HangPolicy::Decision& decision);
  void over(const HangVerdict& last, Duration lasted);

  /// While one is confirmed.
  [[nodiscard]] std::optional<ConfirmedHang> hang() const;

  /// Single workers that hang while others serve.
  [[nodiscard]] const WorkerResponse& workers() const { return workers_; }

  void stop() {
    watch_.stop();
    workers_.stop();
  }

  void fill(BackendSnapshot& snapshot) const;

 private:
  void capture(const HangVerdict& verdict, EvidenceRequest::Moment moment);
  void captured(const std::string& incident, const std::optional<EvidenceRecorder::Answer>& answer);
  void restart();
  [[nodiscard]] std::string next_step(const HangVerdict& verdict) const;

  const BackendConfig& config_;
  const Schedule& schedule_;
  const Lifecycle& lifecycle_;
  BackendRecord& record_;
  Logger& log_;
  const Redactor& redactor_;
  Hands hands_;
  std::optional<HangVerdict> hang_;  ///< while one is confirmed
  std::optional<HangSnapshot> last_;
  std::string incident_;  ///< id of the evidence of the present suspicion or hang; "" without
  std::optional<TimePoint> suspicion_looked_at_;     ///< the last closer look at a mere suspicion
  std::optional<HangPolicy::Decision> restart_due_;  ///< waits only for the evidence
  WorkerResponse workers_;
  HangWatch watch_;
};

}  // namespace codex
