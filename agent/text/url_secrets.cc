#include "agent/text/url_secrets.h"

#include <algorithm>

#include "agent/text/words.h"

namespace codex {

namespace {

constexpr std::string_view kDelimiters = ":@/?#&=%";
constexpr int kMaxPieces = 16;
constexpr std::string_view kUnparsable = "(unparsable URL)";

bool is_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-';
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Where the query begins: at a '?' that is followed by `key=`, which a '?' in a password rarely is.
std::size_t find_query(std::string_view text) {
  for (std::size_t i = text.find('?'); i != std::string_view::npos; i = text.find('?', i + 1)) {
    std::size_t end = i + 1;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end > i + 1 && end < text.size() && text[end] == '=') return i;
  }
  return text.size();
}

/// What stands where the password does, although it may hold delimiters or lack its '@'; "" if there is none.
std::string_view find_password(std::string_view url) {
  const std::size_t scheme = url.find("://");
  std::string_view rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  rest = rest.substr(0, find_query(rest));
  const std::size_t at = rest.rfind('@');
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return {};
  if (at != std::string_view::npos) {
    return at > colon ? rest.substr(colon + 1, at - colon - 1) : std::string_view{};
  }
  if (rest.starts_with('[')) return {};  // An IPv6 address has colons of its own.
  // user:password/db, the host forgotten, is read as host:port, and the "port" is complained about.
  const std::string_view port = rest.substr(colon + 1, rest.find_first_of("/?#,", colon) - colon - 1);
  return std::all_of(port.begin(), port.end(), is_digit) ? std::string_view{} : port;
}

bool names_a_secret(std::string_view key) {
  const std::string name = to_lower(percent_decode(key));
  constexpr std::string_view kWords[] = {"pass", "pwd", "secret", "token", "key"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

/// host, host:port, [v6]:port or a comma-separated list of them, as libpq takes.
bool is_host_list(std::string_view hosts) {
  for (;;) {
    const std::size_t comma = hosts.find(',');
    std::string_view host = hosts.substr(0, comma);
    if (host.starts_with('[')) {
      const std::size_t end = host.find(']');
      if (end == std::string_view::npos) return false;
      host.remove_prefix(end + 1);
      if (!host.empty() && host.front() != ':') return false;
    }
    const std::size_t colon = host.find(':');
    if (colon != std::string_view::npos) {
      const std::string_view port = host.substr(colon + 1);
      if (port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit)) return false;
    }
    if (comma == std::string_view::npos) return true;
    hosts.remove_prefix(comma + 1);
  }
}

/// The query, with its '?', without the options that name a secret.
std::string public_query(std::string_view query) {
  std::string kept;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view option = query.substr(0, end);
    if (!names_a_secret(option.substr(0, option.find('=')))) {
      kept.append(kept.empty() ? "?" : "&").append(option);
    }
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return kept;
}

}  // namespace

std::vector<std::string> find_url_secrets(std::string_view url) {
  std::vector<std::string> secrets;
  constexpr std::string_view kKey = "password=";
  for (std::size_t i = url.find(kKey); i != std::string_view::npos; i = url.find(kKey, i + 1)) {
    const std::string_view value = url.substr(i + kKey.size());
    if (value.starts_with('\'')) {
      secrets.emplace_back(value.substr(1, value.find('\'', 1) - 1));
    } else {
      secrets.emplace_back(value.substr(0, value.find_first_of("&# \t\r\n")));
    }
  }
  const std::string_view password = find_password(url);
  secrets.emplace_back(password);
  std::size_t begin = 0;
  std::size_t i = password.find_first_of(kDelimiters);
  // Bounded, because every text here costs time with every line of output that is scrubbed.
  for (int pieces = 0; i != std::string_view::npos && pieces < kMaxPieces; ++pieces) {
    secrets.emplace_back(password.substr(0, i));
    secrets.emplace_back(password.substr(begin, i - begin));
    begin = i + 1;
    secrets.emplace_back(password.substr(begin));
    i = password.find_first_of(kDelimiters, begin);
  }
  return secrets;
}

std::string url_without_secrets(std::string_view url) {
  const auto is_hostile = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7F'; };
  if (url.empty() || std::any_of(url.begin(), url.end(), is_hostile)) return std::string(kUnparsable);
  const bool at_sign = url.find('@') != std::string_view::npos;
  if ((url.starts_with("sqlite:") || url.starts_with("file:")) && !at_sign) return std::string(url);

  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return std::string(kUnparsable);
  if (!std::all_of(url.begin(), url.begin() + static_cast<std::ptrdiff_t>(scheme),
                   [](char c) { return is_word(c) || c == '+' || c == '.'; })) {
    return std::string(kUnparsable);
  }
  std::string_view rest = url.substr(scheme + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view hosts = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  rest = rest.substr(0, rest.find('#'));
  // An '@' out here may be the true end of a password that held a '/', '?' or '#'.
  if (url.find('@', scheme + 3 + authority_end) != std::string_view::npos) return std::string(kUnparsable);

  std::string clean(url.substr(0, scheme + 3));
  if (const std::size_t at = hosts.find('@'); at != std::string_view::npos) {
    const std::string_view user = hosts.substr(0, std::min(hosts.find(':'), at));
    hosts.remove_prefix(at + 1);
    if (hosts.find('@') != std::string_view::npos) return std::string(kUnparsable);
    clean.append(user).append("@");
  }
  if (!is_host_list(hosts)) return std::string(kUnparsable);
  clean.append(hosts);
  const std::size_t query = rest.find('?');
  clean.append(rest.substr(0, query));
  if (query != std::string_view::npos) clean.append(public_query(rest.substr(query + 1)));
  return clean;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size();
    const int high = escape ? hex_value(text[i + 1]) : -1;
    const int low = escape ? hex_value(text[i + 2]) : -1;
    if (high >= 0 && low >= 0) {
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace codex
