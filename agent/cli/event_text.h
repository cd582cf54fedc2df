#pragma once

#include <string>

#include "agent/cli/documents.h"

namespace codex {

/// One line: `2026-11-23 12:03:04  codex  running -> backoff  crash  exit code 1`, local time. Ends with a
/// newline.
std::string render_event(const EventDocument& event);

}  // namespace codex
