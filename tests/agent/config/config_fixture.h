#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/config/config.h"
#include "agent/config_files/text_file.h"
#include "tests/support/temporary_directory.h"

namespace codex {

/// A project on disk and the environment it is loaded in. Starts with a package.json that has a script "dev".
class ConfigTest : public testing::Test {
 protected:
  ConfigTest() { write("package.json", R"({"name": "codex", "scripts": {"dev": "nodemon server.js"}})"); }

  void write(std::string_view name, std::string_view text) {
    std::filesystem::create_directories((directory_ / name).parent_path());
    write_contents(directory_ / name, text);
    ASSERT_EQ(chmod((directory_ / name).c_str(), 0600), 0);
  }

  LoadResult load() {
    LoadOptions options;
    options.project_directory = directory_.path();
    options.environment = environment_;
    return load_config(options);
  }

  LoadResult load(std::string_view toml) {
    write("codex-agent.toml", toml);
    return load();
  }

  /// The configuration, or a failed test that shows the errors.
  Config good() {
    LoadResult result = load();
    if (result.config) return std::move(*result.config);
    ADD_FAILURE() << "not accepted:\n" << lines_of(result);
    Config nothing;
    nothing.backends.emplace_back();
    return nothing;
  }
  Config good(std::string_view toml) {
    write("codex-agent.toml", toml);
    return good();
  }

  /// The only backend of `toml`.
  BackendConfig backend(std::string_view toml) { return good(toml).backends.front(); }

  /// Every error as people see it, the project's directory left out.
  std::vector<std::string> errors(std::string_view toml) {
    write("codex-agent.toml", toml);
    return errors();
  }
  std::vector<std::string> errors() {
    const LoadResult result = load();
    EXPECT_NE(result.config.has_value(), !result.errors.empty());
    std::vector<std::string> lines;
    for (const ConfigError& error : result.errors) lines.push_back(local(to_string(error)));
    return lines;
  }

  static std::string lines_of(const LoadResult& result) {
    std::string lines;
    for (const ConfigError& error : result.errors) lines += to_string(error) + "\n";
    return lines;
  }

  /// `text` without the project's directory, as a path and as display_path() shows it.
  [[nodiscard]] std::string local(std::string text) const {
    for (const std::string& shown : {directory_.path().string(), display_path(directory_.path())}) {
      const std::string prefix = shown + "/";
      for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
        text.erase(at, prefix.size());
      }
    }
    return text;
  }

  [[nodiscard]] std::filesystem::path in_project(std::string_view name) const { return directory_ / name; }

  static const ProbeSpec* probe(const BackendConfig& backend, std::string_view name) {
    const auto found = std::find_if(backend.probes.begin(), backend.probes.end(),
                                    [&](const ProbeSpec& spec) { return spec.name == name; });
    return found == backend.probes.end() ? nullptr : &*found;
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> environment_ = {{"PATH", "/usr/bin:/bin"}};
};

}  // namespace codex
