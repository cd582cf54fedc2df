#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/config/config.h"
#include "agent/config/load_context.h"
#include "agent/config_files/toml_reader.h"

namespace codex {

/// Fills `backend.probes` from [backend.NAME.probe]: port, http and database first, which exist by default
/// (database only if a URL is known), then the named ones in the order of the file. `backend` has its port,
/// directory and environment already. `max_attempts` is MAX_ATTEMPTS, the failure threshold of the http
/// probe.
void load_probes(TomlTable table, const std::optional<int>& max_attempts, BackendConfig& backend,
                 LoadContext& context);

/// The words of `kind` and `role` in the file.
const std::vector<std::pair<std::string, ProbeKind>>& probe_kind_words();
const std::vector<std::pair<std::string, ProbeRole>>& probe_role_words();

/// Why `pattern` cannot be a body_regex, "" if it can: it does not compile (regcomp(3), extended), or its
/// repetitions or back-references could keep the event loop busy.
std::string regex_problem(const std::string& pattern);

}  // namespace codex
