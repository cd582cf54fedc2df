#pragma once

#include <filesystem>
#include <string>

namespace codex {

/// Tells the processes of one project's agents from another's: the same for every agent that uses this state
/// directory. First part of the token in the environment of what they start.
std::string agent_id(const std::filesystem::path& state_directory);

/// With what the token (kTokenVariable) of every process of this backend begins.
std::string token_prefix(const std::string& agent_id, const std::string& backend);

}  // namespace codex
