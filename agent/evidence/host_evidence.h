#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/os/proc_files.h"
#include "agent/text/redactor.h"

namespace codex {

/// Live processes of a tree by their token, parents before children.
std::vector<ProcStat> tree_of(const std::string& token_prefix);

/// [{"pid","parent","state","command","threads","resident_bytes","cpu_seconds","started_at"}]
nlohmann::ordered_json to_json(const std::vector<ProcStat>& tree, const Redactor& redactor);

/// {"load","memory_available_bytes","pressure":{"cpu":"some avg10=..."},"disk_free_bytes"}; what cannot be
/// read is null. `directory`: whose file system's free space counts.
nlohmann::ordered_json host_facts(const std::filesystem::path& directory);

/// The last `count` lines of a file, at most 64 KiB; scrubbed and escaped.
std::vector<std::string> last_lines(const std::filesystem::path& file, std::size_t count,
                                    const Redactor& redactor);

}  // namespace codex
