#include "agent/config/addresses.h"
#include "agent/config/probe_kinds.h"

namespace codex {

namespace {

constexpr const char* kDatabaseVariable = "DATABASE_URL";

struct FoundUrl {
  std::string text;
  std::string variable;  ///< "" if it stands in the file
  std::string key;       ///< where a mistake in it belongs: "url", "url_env" or "" (the probe's table)
};

// A plain SQLite URL is a path; one with a query may carry a key.
void register_url(const std::string& url, Redactor& redactor) {
  if (url_scheme(url) != "sqlite" || url.find('?') != std::string::npos) redactor.add_url(Secret(url));
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && name.find_first_of("=:/@ ") == std::string_view::npos;
}

std::optional<FoundUrl> find_url(const ProbeReading& reading, const std::string& probe) {
  TomlTable& table = reading.table;
  const Environment& environment = reading.backend.environment;
  const auto lookup = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    if (found == environment.end() || found->second.empty()) return std::nullopt;
    return found->second;
  };
  const auto url = table.text("url");
  const auto url_env = table.text("url_env");
  if (url) register_url(*url, reading.context.redactor);
  if (url && url_env) table.error_at("url_env", "url and url_env exclude each other; keep one");
  if (url_env && !is_variable_name(*url_env)) {
    register_url(*url_env, reading.context.redactor);
    table.error_at("url_env", "must be the name of a variable that holds the URL, such as \"DATABASE_URL\"");
    return std::nullopt;
  }
  if (url_env) {
    if (const auto value = lookup(*url_env)) return FoundUrl{*value, *url_env, "url_env"};
    if (reading.enabled) {
      table.error_at("url_env", "there is no variable " + quoted_name(*url_env) +
                                    " in the environment, in the backend's env_file or in its env table");
    }
    return std::nullopt;
  }
  const auto from_environment = lookup(kDatabaseVariable);
  if (from_environment && (probe == "database" || !url)) {
    if (url) {
      reading.context.diagnostics.warn("backend " + reading.backend.name +
                                       ": DATABASE_URL is set and wins over url in [" + table.name() +
                                       "]; for another URL use url_env, or a probe of another name");
    }
    return FoundUrl{*from_environment, kDatabaseVariable, ""};
  }
  if (url) return FoundUrl{*url, "", "url"};
  const bool missed = reading.enabled && table.present() && !table.has("url") && !table.has("url_env");
  if (missed) {
    table.error_at_key(
        "", "probe \"" + probe +
                "\" needs a URL: set DATABASE_URL in the environment or .env, or url_env or url here");
  }
  return std::nullopt;
}

// A SQLite URL holds a path, in which url_without_secrets() might see an unparsable host.
std::string target_of(const Secret& url) {
  const std::string& text = url.reveal();
  return text.starts_with("sqlite:") ? text.substr(0, text.find('?')) : url_without_secrets(text);
}

}  // namespace

bool read_database_probe(const ProbeReading& reading, ProbeSpec& spec) {
  const auto found = find_url(reading, spec.name);
  if (!found) return false;
  register_url(found->text, reading.context.redactor);
  const Parsed<Secret> url = parse_database_url(found->text, reading.backend.directory);
  if (!url.value) {
    const std::string source =
        found->variable.empty() ? "the URL " : "the URL in " + quoted_name(found->variable) + " ";
    if (reading.table.present() && reading.enabled) {
      reading.table.error_at(found->key, source + url.error);
    } else if (reading.enabled) {
      reading.context.diagnostics.warn("backend " + reading.backend.name + ": " + source + url.error +
                                       ". There is no database probe");
    }
    return false;
  }
  spec.url = *url.value;
  spec.target = target_of(spec.url);
  if (!found->variable.empty()) reading.backend.url_env.emplace(spec.name, found->variable);
  return true;
}

}  // namespace codex
