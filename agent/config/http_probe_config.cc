#include <regex.h>

#include <algorithm>
#include <filesystem>

#include "agent/config/addresses.h"
#include "agent/config/backend_environment.h"
#include "agent/config/probe_kinds.h"
#include "agent/config/probes_config.h"
#include "agent/config_files/values.h"

namespace codex {

namespace {

// RFC 9110 section 5.6.2, token.
bool is_header_name(std::string_view name) {
  constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
  const auto is_token_char = [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kSymbols.find(c) != std::string_view::npos;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token_char);
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

void read_headers(const ProbeReading& reading, ProbeSpec& spec) {
  TomlTable headers = reading.table.table("headers");
  for (const std::string& name : headers.keys()) {
    const auto value = headers.text(name);
    if (!value) continue;
    if (names_secret(name)) reading.context.redactor.add(Secret(*value));
    if (!is_header_name(name)) {
      headers.error_at_key(name, quoted_name(name) + " is not a header name (letters, digits and -)");
    } else if (has_control(*value)) {
      headers.error_at(name, "the value must not contain line ends or other control characters");
    } else {
      spec.http.headers.emplace_back(name, *value);
    }
  }
}

void read_expectation(const ProbeReading& reading, HttpExpectation& expect) {
  TomlTable& table = reading.table;
  expect.status = table.parsed<decltype(expect.status)>("status", parse_status_list).value_or(expect.status);
  expect.body_contains = table.text("body_contains").value_or("");
  if (const auto pattern = table.text("body_regex")) {
    const std::string problem = regex_problem(*pattern);
    if (!problem.empty()) table.error_at("body_regex", problem);
    expect.body_regex = *pattern;
  }
  expect.follow_redirects = table.flag("follow_redirects").value_or(expect.follow_redirects);
  expect.tls_verify = table.flag("tls_verify").value_or(expect.tls_verify);
  if (const auto ca_file = table.text("ca_file")) {
    const auto path = (reading.backend.directory / *ca_file).lexically_normal();
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      table.error_at("ca_file", "there is no file " + escape_for_display(path.string(), 256));
    }
    expect.ca_file = path.string();
  }
}

}  // namespace

bool read_http_probe(const ProbeReading& reading, ProbeSpec& spec) {
  TomlTable& table = reading.table;
  read_expectation(reading, spec.http);
  read_headers(reading, spec);
  const auto path = table.text("path");
  const auto url = table.text("url");
  if (path && !is_http_path(*path)) {
    table.error_at("path", "must start with / and contain no blanks, control bytes, # or bytes above 127");
  }
  if (path && url) table.error_at("path", "path and url exclude each other; keep one");
  if (url) {
    reading.context.redactor.add_url(Secret(*url));
    const Parsed<Secret> parsed = parse_http_url(*url);
    if (!parsed.value) table.error_at("url", "the URL " + parsed.error);
    spec.url = parsed.value.value_or(Secret());
  } else if (reading.backend.port) {
    spec.own_listener = true;
    spec.port = *reading.backend.port;
    spec.url = Secret("http://127.0.0.1:" + std::to_string(*reading.backend.port) + path.value_or("/health"));
  } else if (reading.enabled && table.present() && !table.has("url")) {
    table.error_at_key("", "probe \"" + spec.name + "\" needs a url, because the backend has no port");
  }
  if (spec.url.empty()) return false;
  spec.target = url_without_secrets(spec.url.reveal());
  return true;
}

std::string regex_problem(const std::string& pattern) {
  constexpr std::size_t kLongestPattern = 1024;
  constexpr long kMostRepetitions = 1000;
  if (pattern.size() > kLongestPattern) return "must not be longer than 1024 bytes";
  long repetitions = 1;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      if (pattern[i] >= '1' && pattern[i] <= '9') {
        return "must not use back-references (\\1): they can take forever";
      }
    } else if (pattern[i] == '{') {
      long most = 0, bound = 0;
      for (++i; i < pattern.size() && pattern[i] != '}'; ++i) {
        const bool digit = pattern[i] >= '0' && pattern[i] <= '9';
        bound = digit ? std::min(bound * 10 + (pattern[i] - '0'), kMostRepetitions + 1) : 0;
        most = std::max(most, bound);
      }
      // Nested repetitions multiply, and glibc spells every one of them out in memory.
      repetitions *= std::max(most, 1L);
      if (repetitions > kMostRepetitions) return "repeats too much: its {n,m} multiply to more than 1000";
    }
  }
  regex_t compiled{};
  const int result = regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB);
  if (result == 0) {
    regfree(&compiled);
    return {};
  }
  std::string reason(128, '\0');
  reason.resize(regerror(result, &compiled, reason.data(), reason.size()) - 1);
  return "is not a POSIX extended regular expression: " + reason;
}

}  // namespace codex
