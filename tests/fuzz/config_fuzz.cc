#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/config/backend_config.h"
#include "agent/config_files/dotenv.h"
#include "agent/config_files/text_file.h"
#include "agent/config_files/toml_reader.h"
#include "agent/config_files/values.h"

namespace {

using namespace codex;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_showable(const Diagnostics& diagnostics) {
  for (const ConfigError& error : diagnostics.errors) {
    require(!error.message.empty() && error.message.find('\n') == std::string::npos);
    require(find_invalid_utf8(error.message) == std::string::npos);
  }
}

// A whole [backend.x] from hostile text: every getter and every error message.
void load_toml(std::string_view text) {
  if (find_invalid_utf8(text) != std::string_view::npos)
    return;  // read_text_file() lets no such text through
  Diagnostics diagnostics;
  auto root = TomlTable::parse(text, "codex-agent.toml", diagnostics);
  if (root) {
    const Environment environment = {{"PATH", "/bin"}};
    Redactor redactor;
    LoadContext context{environment, "/nonexistent", "/nonexistent/logs", false, false,
                        diagnostics, redactor};
    TomlTable backends = root->table("backend");
    for (const std::string& name : backends.keys()) {
      const LoadedBackend loaded = load_backend(name, backends.table(name), context);
      require(loaded.config.probes.size() <= 32);
      for (const ProbeSpec& probe : loaded.config.probes) {
        require(probe.period >= std::chrono::milliseconds(100) && probe.timeout > Duration(0));
        require(probe.failure_threshold >= 1 && probe.success_threshold >= 1);
      }
    }
    root->reject_unknown();
  } else {
    require(diagnostics.errors.size() == 1);
  }
  require_showable(diagnostics);
}

void read_dotenv(std::string_view text) {
  Diagnostics diagnostics;
  const Dotenv dotenv = parse_dotenv(text, ".env", diagnostics);
  for (const auto& [name, entry] : dotenv.entries) {
    require(!name.empty() && name.find('=') == std::string::npos && entry.place.line > 0);
    require(entry.value.size() <= text.size());
  }
}

// What is accepted is shown in a form that is accepted as the same.
void read_values(std::string_view text) {
  if (const auto duration = parse_duration(text).value) {
    require(parse_duration(format_duration(*duration)).value == *duration);
  }
  if (const auto size = parse_size(text).value) require(parse_size(format_size(*size)).value == *size);
  if (const auto list = parse_status_list(text).value) {
    require(parse_status_list(format_status_list(*list)).value == *list);
  }
  if (const auto limit = parse_start_limit(text).value) require(limit->count >= 1);
}

}  // namespace

/// Input: 't', 'd' or 'v' for the parser (anything else: all of them), then its text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const char which = static_cast<char>(data[0]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool all = which != 't' && which != 'd' && which != 'v';
  if (all || which == 't') load_toml(text);
  if (all || which == 'd') read_dotenv(text);
  if (all || which == 'v') read_values(text);
  return 0;
}
