#pragma once

#include <string>
#include <vector>

#include "exporters/prometheus/exposition.h"
#include "exporters/recent.h"
#include "exporters/snapshot.h"

namespace codex::testing {

/// One running backend with three probes; every optional is set and every number differs, so that mixed-up
/// fields show.
Snapshot sample_snapshot();

/// The extras that go with it.
ExpositionExtras sample_extras();

/// An hour that goes with it: a hang, a crash loop, an outage of the database; the series begin ten minutes
/// late. In the order of the snapshot's probes.
BackendRecent sample_recent();

/// A source that always gives `snapshot`.
SnapshotSource source_of(Snapshot snapshot);

/// `text` without the lines of the process_* families, which differ from run to run.
std::string without_process_metrics(const std::string& text);

std::vector<std::string> lines_of(const std::string& text);

/// Runs a shell command with `input` as its standard input; its exit status and both outputs.
struct CommandResult {
  int status = -1;
  std::string output;
};
CommandResult run_command(const std::string& command, const std::string& input);

}  // namespace codex::testing
