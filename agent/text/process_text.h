#pragma once

#include <string>

#include "agent/os/process_table.h"
#include "agent/text/redactor.h"

namespace codex {

/// What tells a person which process is meant: "pid 4711 (python3 x.py, user anna, since 12:03)", since
/// "2026-11-21 12:03" if that was on an earlier day. In local time, as the operator's clock shows it.
std::string process_text(const ProcessDescription& process, const Redactor& redactor);

}  // namespace codex
