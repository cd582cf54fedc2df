#include "probes/probe_spec.h"

namespace codex {

std::string_view to_string(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::kPort:
      return "port";
    case ProbeKind::kHttp:
      return "http";
    case ProbeKind::kDatabase:
      return "database";
  }
  return "unknown";
}

std::string_view to_string(ProbeRole role) {
  switch (role) {
    case ProbeRole::kStartup:
      return "startup";
    case ProbeRole::kLiveness:
      return "liveness";
    case ProbeRole::kReadiness:
      return "readiness";
  }
  return "unknown";
}

}  // namespace codex
