#pragma once

#include "agent/config/config.h"
#include "agent/config/load_context.h"
#include "agent/config_files/toml_reader.h"

namespace codex {

/// What the reader of one probe's own keys works with.
struct ProbeReading {
  TomlTable& table;
  BackendConfig& backend;
  LoadContext& context;
  bool enabled;  ///< a disabled probe is checked, but nothing it lacks is missed
};

/// Each fills `spec` from the keys of its kind and tells whether the probe exists: the default ones do only
/// if their port or URL is known. A named one without is a mistake.
bool read_port_probe(const ProbeReading& reading, ProbeSpec& spec);
bool read_http_probe(const ProbeReading& reading, ProbeSpec& spec);
bool read_database_probe(const ProbeReading& reading, ProbeSpec& spec);

}  // namespace codex
