#include "agent/config/probes_config.h"

#include "agent/config/limits.h"
#include "agent/config/probe_kinds.h"
#include "agent/config_files/values.h"

namespace codex {

namespace {

constexpr Duration kShortestPeriod = std::chrono::milliseconds(100);
constexpr std::size_t kMostProbes = 32;

std::optional<ProbeKind> default_kind(const std::string& name) {
  for (const auto& [word, kind] : probe_kind_words()) {
    if (word == name) return kind;
  }
  return std::nullopt;
}

void read_common(TomlTable& table, ProbeSpec& spec) {
  if (spec.kind == ProbeKind::kDatabase) {
    spec.role = ProbeRole::kReadiness;
    spec.timeout = std::chrono::seconds(3);
  }
  spec.role = table.choice<ProbeRole>("role", probe_role_words()).value_or(spec.role);
  spec.period = table.duration("period", kShortestPeriod, kLongest).value_or(spec.period);
  spec.timeout = table.duration("timeout", kShortestTimeout, kLongest).value_or(spec.timeout);
  spec.initial_delay = table.duration("initial_delay", Duration(0), kLongest).value_or(spec.initial_delay);
  const auto threshold = [&](const char* key, int otherwise) {
    return static_cast<int>(table.whole(key, 1, kHighestThreshold).value_or(otherwise));
  };
  spec.failure_threshold = threshold("failure_threshold", spec.failure_threshold);
  spec.success_threshold = threshold("success_threshold", spec.success_threshold);
}

void load_probe(const std::string& name, TomlTable table, const std::optional<int>& max_attempts,
                BackendConfig& backend, LoadContext& context) {
  ProbeSpec spec;
  spec.name = name;
  const auto implied = default_kind(name);
  const auto kind = table.choice<ProbeKind>("kind", probe_kind_words());
  if (implied && kind && *kind != *implied) {
    table.error_at("kind", "the probe \"" + name + "\" is always of kind \"" + name +
                               "\"; give a probe of another kind another name");
  }
  if (!implied && !kind) {
    if (!table.has("kind")) {
      table.error_at_key(
          "",
          "probe " + quoted_name(name) +
              " needs kind = \"http\", \"port\" or \"database\" (only the probes of these names have one)");
    }
    return;
  }
  spec.kind = implied ? *implied : *kind;
  const bool enabled = table.flag("enabled").value_or(true);
  read_common(table, spec);
  if (name == "http" && max_attempts) spec.failure_threshold = *max_attempts;

  const ProbeReading reading{table, backend, context, enabled};
  bool exists = false;
  switch (spec.kind) {
    case ProbeKind::kPort:
      exists = read_port_probe(reading, spec);
      break;
    case ProbeKind::kHttp:
      exists = read_http_probe(reading, spec);
      break;
    case ProbeKind::kDatabase:
      exists = read_database_probe(reading, spec);
      break;
  }
  table.reject_unknown();
  if (enabled && exists) backend.probes.push_back(std::move(spec));
}

}  // namespace

const std::vector<std::pair<std::string, ProbeKind>>& probe_kind_words() {
  static const std::vector<std::pair<std::string, ProbeKind>> words = {
      {"port", ProbeKind::kPort}, {"http", ProbeKind::kHttp}, {"database", ProbeKind::kDatabase}};
  return words;
}

const std::vector<std::pair<std::string, ProbeRole>>& probe_role_words() {
  static const std::vector<std::pair<std::string, ProbeRole>> words = {{"startup", ProbeRole::kStartup},
                                                                       {"liveness", ProbeRole::kLiveness},
                                                                       {"readiness", ProbeRole::kReadiness}};
  return words;
}

void load_probes(TomlTable table, const std::optional<int>& max_attempts, BackendConfig& backend,
                 LoadContext& context) {
  std::vector<std::string> names;
  for (const auto& [name, kind] : probe_kind_words()) names.push_back(name);
  for (const std::string& name : table.keys()) {
    if (default_kind(name)) continue;
    if (is_label_name(name, false)) {
      names.push_back(name);
    } else {
      table.error_at_key(name,
                         quoted_name(name) +
                             " is not a probe's name; use a letter, then a-z, 0-9, '_' and '-' (at most 64)");
    }
  }
  if (names.size() > kMostProbes) {
    table.error_at_key(names[kMostProbes], "more than 32 probes in one backend");
    return;
  }
  for (const std::string& name : names) load_probe(name, table.table(name), max_attempts, backend, context);
}

}  // namespace codex
