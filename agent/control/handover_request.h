#pragma once

#include <filesystem>

namespace codex {

/// Asks the agent behind `socket` to end at once and to leave its backends running, for the caller to take
/// over (POST /v1/handover). Returns when it has agreed. Blocks for at most a few seconds. Throws
/// std::runtime_error that says why it has not, and what to do.
void request_handover(const std::filesystem::path& socket);

}  // namespace codex
