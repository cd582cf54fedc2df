#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"

namespace codex {

/// `codex-agent check`: asks every probe of the named backends (all without a name) once, now, whether or not
/// an agent runs. Prints one line a probe, or one JSON document. Returns 0 if all succeeded, 1 if not, 2 for
/// an unknown name.
int check_command(const Config& config, const std::vector<std::string>& names, bool json);

/// `codex-agent config check`: the configuration was loaded, so it is valid; prints that and its warnings.
int config_check_command(const Config& config, bool json);

/// The backends called `names`, all without a name. Empty, after a message on stderr, if a name is unknown.
std::vector<const BackendConfig*> select_backends(const Config& config,
                                                  const std::vector<std::string>& names);

}  // namespace codex
