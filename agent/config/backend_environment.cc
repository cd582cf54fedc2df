#include "agent/config/backend_environment.h"

#include <algorithm>
#include <array>

#include "agent/config/addresses.h"

namespace codex {

namespace {

// FEATURE_TOKEN_ENABLED=true and TOKEN_TTL=3600 are no secrets; masking "true" or a number that stands
// everywhere would spoil every output. A name that ends in the word itself (DB_PASSWORD) is always one.
bool is_plain_value(std::string_view value) {
  constexpr std::array<std::string_view, 6> kWords = {"true", "false",       "none",
                                                      "null", "development", "production"};
  constexpr std::size_t kLongestNumber = 6;
  const bool number = value.size() <= kLongestNumber && value.find_first_not_of("0123456789") == value.npos;
  return number || std::find(kWords.begin(), kWords.end(), value) != kWords.end();
}

constexpr std::array<std::string_view, 9> kSecretWords = {"PASSWORD",  "PASSWD",     "SECRET",
                                                          "TOKEN",     "APIKEY",     "PRIVATEKEY",
                                                          "ACCESSKEY", "CREDENTIAL", "AUTHORIZATION"};

// "x-api_key" -> "XAPIKEY"
std::string letters_of(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (c == '_' || c == '-' || c == '.') continue;
    letters += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return letters;
}

bool ends_in_secret_word(std::string_view name) {
  const std::string letters = letters_of(name);
  return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                     [&](std::string_view word) { return letters.ends_with(word); });
}

}  // namespace

void Setting::error(const std::string& name, const std::string& message, Diagnostics& diagnostics) const {
  diagnostics.error(file, place, place.line == 0 ? message : name + ": " + message);
}

std::optional<Setting> find_setting(const Environment& process, const Dotenv& dotenv, std::string_view name) {
  const auto set = process.find(std::string(name));
  if (set != process.end() && !set->second.empty()) return Setting{set->second, set->first, {}};
  const auto entry = dotenv.entries.find(name);
  if (entry == dotenv.entries.end() || entry->second.value.empty()) return std::nullopt;
  return Setting{entry->second.value, dotenv.file, entry->second.place};
}

bool is_agent_variable(std::string_view name) {
  return name.starts_with("CODEX_AGENT_") || name == "NOTIFY_SOCKET" || name == "LISTEN_FDS" ||
         name == "LISTEN_PID" || name == "LISTEN_FDNAMES" || name.starts_with("WATCHDOG_");
}

Environment compose_environment(const Environment& process, const Dotenv& dotenv, const Environment& own) {
  Environment block;
  for (const auto& [name, value] : process) {
    if (!is_agent_variable(name)) block.emplace(name, value);
  }
  for (const auto& [name, entry] : dotenv.entries) {
    if (!is_agent_variable(name)) block.emplace(name, entry.value);
  }
  for (const auto& [name, value] : own) block.insert_or_assign(name, value);
  return block;
}

bool names_secret(std::string_view name) {
  const std::string letters = letters_of(name);
  return letters == "COOKIE" ||
         std::any_of(kSecretWords.begin(), kSecretWords.end(),
                     [&](std::string_view word) { return letters.find(word) != std::string::npos; });
}

void register_secrets(const Environment& environment, Redactor& redactor) {
  for (const auto& [name, value] : environment) {
    const bool secret = names_secret(name) && (ends_in_secret_word(name) || !is_plain_value(value));
    if (secret) redactor.add(Secret(value));
    if (carries_password(value)) redactor.add_url(Secret(value));
  }
}

}  // namespace codex
