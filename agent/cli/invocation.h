#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/clock.h"

namespace codex {

/// One parsed command line.
struct Invocation {
  std::string verb;                                  ///< "start", "config-check" ...
  std::vector<std::string> names;                    ///< backends; empty = all
  std::filesystem::path project = ".";               ///< -C
  std::optional<std::filesystem::path> config_file;  ///< --config
  bool json = false;
  bool wait = true;                    ///< --no-wait clears it
  bool follow = false;                 ///< -f
  std::size_t lines = 50;              ///< -n
  std::optional<Duration> time_limit;  ///< --timeout
  bool replace = false;                ///< run --replace
  bool background = false;             ///< run --background
  std::string shell;                   ///< completion: "bash" "zsh" "fish"

  /// How the daemon is to run for this invocation.
  [[nodiscard]] std::vector<std::string> run_arguments() const {
    std::vector<std::string> arguments{"run"};
    if (verb == "run") arguments.emplace_back("--start");
    // Nothing is to be started only for being stopped; what else was wanted still is.
    const bool stops = verb == "stop" || verb == "shutdown";
    if (stops && names.empty()) arguments.emplace_back("--adopt-only");
    if (stops) {
      for (const auto& name : names) arguments.push_back("--adopt-only-of=" + name);
    }
    if (replace) arguments.emplace_back("--replace");
    return arguments;
  }

  /// -C and --config as this invocation got them, for the daemon's command line and for hints.
  [[nodiscard]] std::vector<std::string> location_arguments() const {
    std::vector<std::string> arguments;
    if (project != ".") arguments.insert(arguments.end(), {"-C", project.string()});
    if (config_file) arguments.insert(arguments.end(), {"--config", config_file->string()});
    return arguments;
  }
};

}  // namespace codex
