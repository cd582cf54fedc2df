#include "agent/config_files/package_json.h"

#include <nlohmann/json.hpp>

#include "agent/config_files/text_file.h"
#include "agent/config_files/values.h"
#include "agent/text/words.h"

namespace codex {

namespace {

// nlohmann's own limit is the stack; package.json nests a handful of levels.
bool nests_too_deep(std::string_view text) {
  constexpr int kMostLevels = 100;
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kMostLevels) return true;
  }
  return false;
}

std::string sanitise(std::string_view text) {
  constexpr std::size_t kLongestName = 64;
  if (text.starts_with('@')) {
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) text.remove_prefix(slash + 1);
  }
  std::string name;
  for (const char c : to_lower(text.substr(0, kLongestName))) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    name += allowed ? c : '-';
  }
  name.erase(0, name.find_first_not_of("-_"));
  while (name.ends_with('-')) name.pop_back();
  return name;
}

}  // namespace

std::optional<PackageJson> read_package_json(const std::filesystem::path& directory,
                                             Diagnostics& diagnostics) {
  const auto path = directory / "package.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  const std::string shown_as = display_path(path);
  const auto text = read_text_file(path, shown_as, diagnostics);
  if (!text) return std::nullopt;

  nlohmann::json document;
  try {
    if (nests_too_deep(*text)) throw std::invalid_argument("nesting");
    document = nlohmann::json::parse(*text);
  } catch (const nlohmann::json::parse_error& error) {
    diagnostics.error(shown_as, place_at(*text, error.byte > 0 ? error.byte - 1 : 0),
                      "not JSON from here on");
    return std::nullopt;
  } catch (const std::exception&) {
    diagnostics.error(shown_as, {}, "this is no package.json: it nests deeper than 100 levels");
    return std::nullopt;
  }
  if (!document.is_object()) {
    diagnostics.error(shown_as, {}, "must be a JSON object");
    return std::nullopt;
  }
  PackageJson package;
  if (const auto name = document.find("name"); name != document.end() && name->is_string()) {
    package.name = name->get<std::string>();
  }
  const auto scripts = document.find("scripts");
  if (scripts != document.end() && scripts->is_object()) {
    const auto has = [&](const char* script) {
      const auto found = scripts->find(script);
      return found != scripts->end() && found->is_string();
    };
    package.has_dev = has("dev");
    package.has_start = has("start");
  }
  return package;
}

std::vector<std::string> default_command(const PackageJson& package) {
  if (package.has_dev) return {"npm", "run", "dev"};
  if (package.has_start) return {"npm", "start"};
  return {};
}

std::string default_backend_name(const std::optional<PackageJson>& package,
                                 const std::filesystem::path& directory) {
  for (const std::string& text : {package ? package->name : std::string(), directory.filename().string()}) {
    if (std::string name = sanitise(text); is_label_name(name, true)) return name;
  }
  return "backend";
}

}  // namespace codex
