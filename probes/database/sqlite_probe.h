#pragma once

#include <string>

#include "probes/probe_attempt.h"
#include "probes/probe_context.h"
#include "probes/probe_spec.h"
#include "probes/worker_call.h"

namespace codex {

/// Reads a SQLite file on the worker, with the deadline kept on the loop. Phase: query.
class SqliteProbe final : public Probe {
 public:
  SqliteProbe(const ProbeSpec& spec, const ProbeContext& context);
  ~SqliteProbe() override { cancel(); }
  void start(TimePoint deadline, Done done) override { attempt_.begin(deadline, std::move(done)); }
  void cancel() override { attempt_.cancel(); }

 private:
  void ask();
  void expire();
  void end(const Finding& finding);

  ProbeContext context_;
  std::string path_;
  WorkerCall call_;
  ProbeAttempt attempt_;
};

}  // namespace codex
