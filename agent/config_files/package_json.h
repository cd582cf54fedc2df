#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/config_files/diagnostics.h"

namespace codex {

/// What a package.json says that matters here (npm, "package.json").
struct PackageJson {
  std::string name;        ///< "" if it has none
  bool has_dev = false;    ///< scripts.dev
  bool has_start = false;  ///< scripts.start
};

/// Reads `directory`/package.json; nullopt if there is none or it cannot be used, which then is in
/// `diagnostics`.
std::optional<PackageJson> read_package_json(const std::filesystem::path& directory,
                                             Diagnostics& diagnostics);

/// {"npm","run","dev"}, else {"npm","start"}, else nothing.
std::vector<std::string> default_command(const PackageJson& package);

/// A backend's name: the package's without its @scope/, else the directory's, else "backend"; in lower case,
/// other characters as '-'.
std::string default_backend_name(const std::optional<PackageJson>& package,
                                 const std::filesystem::path& directory);

}  // namespace codex
