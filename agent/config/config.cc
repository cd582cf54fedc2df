#include "agent/config/config.h"

#include <sys/stat.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "agent/config/addresses.h"
#include "agent/config/agent_section.h"
#include "agent/config/backend_config.h"
#include "agent/config/cross_checks.h"
#include "agent/config/locations.h"
#include "agent/config_files/package_json.h"
#include "agent/config_files/text_file.h"
#include "agent/config_files/toml_reader.h"
#include "agent/config_files/values.h"

namespace codex {

namespace {

constexpr std::size_t kMostBackends = 64;

// Loads one configuration; used once.
class ConfigLoader {
 public:
  explicit ConfigLoader(const LoadOptions& options)
      : options_(options),
        found_(
            locate(options.project_directory.empty() ? "." : options.project_directory, options.config_file)),
        root_(TomlTable::absent(diagnostics_)) {}

  LoadResult load() {
    if (read_file()) read_tables();
    return finish();
  }

 private:
  // False if there is nothing more to check.
  bool read_file() {
    namespace fs = std::filesystem;
    config_.project_directory = found_.project_directory;
    config_.state_directory = found_.state_directory;
    std::error_code error;
    if (!fs::is_directory(found_.project_directory, error)) {
      diagnostics_.error(
          "", {}, "there is no directory " + escape_for_display(found_.project_directory.string(), 256));
      return false;
    }
    shown_file_ = display_path(found_.config_file);
    const auto type = fs::symlink_status(found_.config_file, error).type();
    if (type == fs::file_type::not_found) {
      if (options_.config_file) diagnostics_.error(shown_file_, {}, "there is no such file");
      return !options_.config_file;
    }
    config_.file = found_.config_file;
    if (const std::string why = distrust(found_.config_file); !why.empty()) {
      diagnostics_.error(shown_file_, {}, why);
      return false;
    }
    const auto text = read_text_file(found_.config_file, shown_file_, diagnostics_);
    if (!text) return false;
    auto parsed = TomlTable::parse(*text, shown_file_, diagnostics_);
    if (!parsed) return false;
    root_ = std::move(*parsed);
    return true;
  }

  void read_tables() {
    TomlTable agent_table = root_.table("agent");
    TomlTable backend_tables = root_.table("backend");
    std::vector<std::string> names = backend_tables.keys();
    if (names.size() > kMostBackends) {
      backend_tables.error_at_key(names[kMostBackends], "more than 64 backends");
      names.resize(kMostBackends);
    }
    const bool system_wide = found_.state_directory == "/run/codex-agent";
    LoadContext context{options_.environment,
                        found_.project_directory,
                        system_wide ? "/var/log/codex-agent" : found_.project_directory / "logs",
                        system_wide,
                        names.size() > 1,
                        diagnostics_,
                        config_.redactor};
    if (context.several) warn_of_ambiguous_variables();

    std::vector<LoadedBackend> backends;
    if (names.empty())
      backends.push_back(load_backend(zero_config_name(), TomlTable::absent(diagnostics_), context));
    for (const std::string& name : names) {
      if (!is_label_name(name, true)) {
        backend_tables.error_at_key(
            name, quoted_name(name) + " is not a backend's name; use a-z, 0-9, '_' and '-' (at most 64)");
      } else {
        backends.push_back(load_backend(name, backend_tables.table(name), context));
      }
    }
    const Dotenv none;
    const Place listen_place = agent_table.has("listen") ? agent_table.place("listen") : Place{};
    config_.agent =
        load_agent_section(agent_table, backends.size() == 1 ? backends[0].dotenv : none, context);
    root_.reject_unknown();
    check_together(config_.agent, listen_place, backends, shown_file_, diagnostics_);
    for (LoadedBackend& backend : backends) config_.backends.push_back(std::move(backend.config));
    warn_of_exposed_secrets();
  }

  std::string zero_config_name() const {
    Diagnostics reported_by_the_backend;
    return default_backend_name(read_package_json(found_.project_directory, reported_by_the_backend),
                                found_.project_directory);
  }

  void warn_of_ambiguous_variables() {
    for (const char* name : {"PORT", "DATABASE_URL", "PID_FILE"}) {
      const auto set = options_.environment.find(name);
      if (set == options_.environment.end() || set->second.empty()) continue;
      diagnostics_.warn(std::string(name) +
                        " of the environment is ignored and not passed on, because there are several " +
                        "backends; set it in each one's env_file or in " + shown_file_);
    }
  }

  // Whether the file itself, not the environment, holds a secret.
  [[nodiscard]] bool file_holds_secret() const {
    return std::any_of(config_.backends.begin(), config_.backends.end(), [](const BackendConfig& backend) {
      const bool in_environment = std::any_of(
          backend.own_environment.begin(), backend.own_environment.end(), [](const auto& variable) {
            return names_secret(variable.first) || carries_password(variable.second);
          });
      const bool in_probes =
          std::any_of(backend.probes.begin(), backend.probes.end(), [&](const ProbeSpec& probe) {
            const bool in_url = !backend.url_env.contains(probe.name) && carries_password(probe.url.reveal());
            return in_url || std::any_of(probe.http.headers.begin(), probe.http.headers.end(),
                                         [](const auto& header) { return names_secret(header.first); });
          });
      return in_environment || in_probes;
    });
  }

  void warn_of_exposed_secrets() {
    struct stat info {};
    if (config_.file.empty() || stat(config_.file.c_str(), &info) != 0) return;
    if ((info.st_mode & (S_IRGRP | S_IROTH)) == 0 || !file_holds_secret()) return;
    diagnostics_.warn(shown_file_ +
                      " holds a password and others may read it; chmod 600 it, or keep the password in .env");
  }

  LoadResult finish() {
    // What was read later may be the secret in a message that was made earlier.
    for (ConfigError& error : diagnostics_.errors) error.message = config_.redactor.scrub(error.message);
    for (std::string& warning : diagnostics_.warnings) warning = config_.redactor.scrub(warning);
    const auto order = [](const ConfigError& e) { return std::tuple(e.line == 0, e.file, e.line, e.column); };
    std::stable_sort(diagnostics_.errors.begin(), diagnostics_.errors.end(),
                     [&](const ConfigError& a, const ConfigError& b) { return order(a) < order(b); });
    LoadResult result;
    result.errors = std::move(diagnostics_.errors);
    if (!result.errors.empty()) return result;
    config_.warnings = std::move(diagnostics_.warnings);
    result.config = std::move(config_);
    return result;
  }

  const LoadOptions& options_;
  const Locations found_;
  Diagnostics diagnostics_;
  Config config_;
  std::string shown_file_;
  TomlTable root_;  // refers to diagnostics_
};

}  // namespace

LoadResult load_config(const LoadOptions& options) {
  return ConfigLoader(options).load();
}

}  // namespace codex
