#include "agent/supervision/agent_id.h"

#include <cstdint>
#include <cstdio>

namespace codex {

std::string agent_id(const std::filesystem::path& state_directory) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const unsigned char c : state_directory.string()) hash = (hash ^ c) * 1099511628211U;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::string token_prefix(const std::string& agent_id, const std::string& backend) {
  return agent_id + "/" + backend + "/";
}

}  // namespace codex
