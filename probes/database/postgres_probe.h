#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/unique_fd.h"
#include "probes/database/postgres_session.h"
#include "probes/probe_attempt.h"
#include "probes/probe_context.h"
#include "probes/probe_spec.h"
#include "probes/resolver.h"
#include "probes/worker_call.h"

namespace codex {

/// Connects to PostgreSQL as the backend would and asks `SELECT 1`; one connection an attempt, closed on
/// every path. The loop waits, the worker runs libpq. Phases: resolve, connect, tls (if used), auth, query.
class PostgresProbe final : public Probe {
 public:
  PostgresProbe(const ProbeSpec& spec, const ProbeContext& context);
  ~PostgresProbe() override { cancel(); }
  void start(TimePoint deadline, Done done) override { attempt_.begin(deadline, std::move(done)); }
  void cancel() override { attempt_.cancel(); }

 private:
  void ask();
  void open(const std::vector<Resolution>& found);
  void step();
  void stepped(PostgresSession::Wait wait);
  void expire();
  void release();
  void watch_for_flood();
  void end(const Finding& finding);

  ProbeContext context_;
  std::optional<PostgresSettings> settings_;
  std::string unusable_;                      ///< why the URL cannot be used, "" if it can
  std::shared_ptr<PostgresSession> session_;  ///< shared with the step under way on the worker
  bool stepping_ = false;                     ///< an call is under way
  bool flooded_ = false;
  Phase phase_ = Phase::kResolve;
  WorkerCall call_;
  UniqueFd line_;  ///< the session's socket again, to cut it while libpq is reading on the worker
  FdWatch watch_;
  Timer flood_timer_;
  ProbeAttempt attempt_;
};

}  // namespace codex
