#pragma once

#include <string>

#include "agent/policy/lifecycle.h"

namespace codex {

/// What a part of a Backend has found out: the event for the Lifecycle, and the sentence that explains it to
/// people. They travel together, so that neither is told without the other.
struct Report {
  Event event;
  std::string problem;  ///< safe to show; "" says nothing new
};

}  // namespace codex
