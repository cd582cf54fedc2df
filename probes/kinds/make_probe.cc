#include "probes/kinds/make_probe.h"

#include <stdexcept>

#include "probes/database/postgres_probe.h"
#include "probes/database/sqlite_probe.h"
#include "probes/http/http_probe.h"
#include "probes/port/port_probe.h"

namespace codex {

namespace {

std::unique_ptr<Probe> make_database_probe(const ProbeSpec& spec, const ProbeContext& context) {
  const std::string& url = spec.url.reveal();
  if (url.starts_with("postgres:") || url.starts_with("postgresql:")) {
    return std::make_unique<PostgresProbe>(spec, context);
  }
  if (url.starts_with("sqlite:")) return std::make_unique<SqliteProbe>(spec, context);
  throw std::invalid_argument("probe " + spec.name + ": a database URL begins with postgres: or sqlite:");
}

}  // namespace

std::unique_ptr<Probe> make_probe(const ProbeSpec& spec, const ProbeContext& context) {
  switch (spec.kind) {
    case ProbeKind::kPort:
      return std::make_unique<PortProbe>(spec, context);
    case ProbeKind::kHttp:
      return std::make_unique<HttpProbe>(spec, context);
    case ProbeKind::kDatabase:
      return make_database_probe(spec, context);
  }
  throw std::invalid_argument("probe " + spec.name + " has no known kind");
}

}  // namespace codex
