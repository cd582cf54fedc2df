#include "probes/probe_result.h"

namespace codex {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSuccess:
      return "success";
    case Outcome::kFailure:
      return "failure";
    case Outcome::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kTimeout:
      return "timeout";
    case Reason::kRefused:
      return "refused";
    case Reason::kReset:
      return "reset";
    case Reason::kResolve:
      return "resolve";
    case Reason::kTls:
      return "tls";
    case Reason::kStatus:
      return "status";
    case Reason::kBody:
      return "body";
    case Reason::kProtocol:
      return "protocol";
    case Reason::kAuth:
      return "auth";
    case Reason::kQuery:
      return "query";
    case Reason::kInternal:
      return "internal";
  }
  return "internal";
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::kResolve:
      return "resolve";
    case Phase::kConnect:
      return "connect";
    case Phase::kTls:
      return "tls";
    case Phase::kProcessing:
      return "processing";
    case Phase::kTransfer:
      return "transfer";
    case Phase::kAuth:
      return "auth";
    case Phase::kQuery:
      return "query";
  }
  return "unknown";
}

}  // namespace codex
