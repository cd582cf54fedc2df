#pragma once

#include <string>

#include "agent/cli/documents.h"

namespace codex {

/// The block of one backend: the headline, the three checks people know with the facts behind them, extra
/// probes, the last start, resources, and the problem. Ends with a newline. `colour`: ANSI in the headline.
std::string render_backend(const BackendStatus& backend, bool colour);

/// The blocks of all backends.
std::string render_status_text(const StatusDocument& status, bool colour);

/// kExitOk, kExitUnhealthy or kExitNotRunning: the worst of all backends.
int status_exit_code(const StatusDocument& status);

}  // namespace codex
