#include "probes/database/sqlite_probe.h"

#include "agent/text/quantity.h"
#include "probes/database/sqlite_file.h"

namespace codex {

SqliteProbe::SqliteProbe(const ProbeSpec& spec, const ProbeContext& context)
    : context_(context),
      path_(sqlite_path(spec.url.reveal())),
      attempt_(context.loop, "sqlite probe", {[this] { ask(); }, [this] { expire(); }, [] {}}) {}

void SqliteProbe::ask() {
  attempt_.enter(Phase::kQuery);
  const bool sent = call_.send(
      context_.loop, context_.resolver, [path = path_] { return ask_sqlite(path); },
      attempt_.guard([this](std::future<Finding> future) { end(future.get()); }));
  if (!sent) attempt_.give_up("the agent's worker is busy");
}

void SqliteProbe::expire() {
  if (call_.starved()) return attempt_.give_up("the agent's worker is busy");
  end({Outcome::kFailure, Reason::kTimeout, "not read within " + in_words(attempt_.allowed())});
}

void SqliteProbe::end(const Finding& finding) {
  const bool success = finding.outcome == Outcome::kSuccess;
  attempt_.finish(finding.outcome, finding.reason,
                  context_.redactor.safe(success ? finding.text : path_ + ": " + finding.text));
}

}  // namespace codex
