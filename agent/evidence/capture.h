#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "agent/evidence/evidence_request.h"

namespace codex {

/// Looks at a backend that hangs, and writes the evidence down. It blocks, uses ptrace(2) and follows
/// pointers through another program's memory: it runs in a process of its own, which may be killed at any
/// time.
///
/// A suspicion is kept aside, to become part of the incident should it be confirmed. `tell` is called once,
/// when the evidence is safe and before native stacks are looked at, which is slow, with what the agent wants
/// to know: {"id":...,"where":"slowQuery (server.js:12)"|""}; the id is "" for a suspicion, because nobody
/// can be shown one. Throws std::exception when something could not be written.
void capture(const EvidenceRequest& request, const std::function<void(const nlohmann::ordered_json&)>& tell);

/// `codex-agentd capture`: the request on stdin, the answer on stdout. Returns the exit code.
int capture_command();

}  // namespace codex
