#pragma once

#include <string>

#include "probes/attempt.h"
#include "probes/errand.h"
#include "probes/make_probe.h"

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
  void end(const Trouble& trouble);

  ProbeContext context_;
  std::string path_;
  Errand errand_;
  Attempt attempt_;
};

}  // namespace codex
