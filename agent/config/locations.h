#pragma once

#include <filesystem>
#include <optional>

namespace codex {

/// Where an agent of a project keeps its things. Knows no TOML: the thin CLI uses it too.
struct Locations {
  std::filesystem::path project_directory;  ///< absolute
  std::filesystem::path config_file;        ///< absolute; may not exist
  /// .codex-agent beside the configuration, /run/codex-agent for /etc.
  std::filesystem::path state_directory;
};

/// `project`: -C or the working directory. `config`: --config, relative to the working directory.
inline Locations locate(const std::filesystem::path& project,
                        const std::optional<std::filesystem::path>& config) {
  namespace fs = std::filesystem;
  Locations found;
  found.config_file = config ? fs::absolute(*config).lexically_normal()
                             : (fs::absolute(project) / "codex-agent.toml").lexically_normal();
  found.project_directory = found.config_file.parent_path();
  const bool system_wide = found.project_directory == "/etc/codex-agent" || found.project_directory == "/etc";
  found.state_directory =
      system_wide ? fs::path("/run/codex-agent") : found.project_directory / ".codex-agent";
  return found;
}

}  // namespace codex
