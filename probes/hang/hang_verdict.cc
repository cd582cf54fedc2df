#include "probes/hang/hang_verdict.h"

namespace codex {

std::string_view to_string(HangVerdict::State state) {
  switch (state) {
    case HangVerdict::State::kHealthy:
      return "healthy";
    case HangVerdict::State::kSuspect:
      return "suspect";
    case HangVerdict::State::kConfirmed:
      return "confirmed";
  }
  return "";
}

}  // namespace codex
