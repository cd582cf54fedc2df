#pragma once

#include <nlohmann/json_fwd.hpp>

#include "agent/evidence/evidence_request.h"

namespace codex {

/// Looks at a backend that hangs, and writes the evidence down. It blocks, uses ptrace(2) and follows
/// pointers through another program's memory: it runs in a process of its own, which may be killed at any
/// time.
///
/// A suspicion is kept aside, to become part of the incident should it be confirmed. Answers what the agent
/// wants to know: {"id":...,"where":"slowQuery (server.js:12)"|""}. Throws std::exception when nothing could
/// be written.
nlohmann::ordered_json capture(const EvidenceRequest& request);

/// `codex-agentd capture`: the request on stdin, the answer on stdout. Returns the exit code.
int capture_command();

}  // namespace codex
