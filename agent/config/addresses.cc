#include "agent/config/addresses.h"

#include <arpa/inet.h>

#include <algorithm>

#include "agent/config_files/values.h"
#include "agent/text/redactor.h"
#include "agent/text/words.h"

namespace codex {

namespace {

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// Printable ASCII without blanks: what may stand in a URL unescaped, generously.
bool is_url_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// A file name as part of a URL: the two characters that would mean something else there.
std::string encode_path(std::string_view path) {
  std::string encoded;
  for (const char c : path) {
    if (c == '%' || c == '?') {
      encoded += c == '%' ? "%25" : "%3F";
    } else {
      encoded += c;
    }
  }
  return encoded;
}

struct HostPort {
  std::string host;
  std::string_view port;  // "" if absent
  bool has_port = false;
};

std::optional<HostPort> split_host_port(std::string_view text) {
  HostPort split;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    split.host = text.substr(1, close - 1);
    if (!is_ipv6(split.host)) return std::nullopt;
    rest = text.substr(close + 1);
  } else {
    const std::size_t colon = text.find(':');
    split.host = text.substr(0, colon);
    if (!is_host(split.host) || is_ipv6(split.host)) return std::nullopt;
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (rest.empty()) return split;
  if (rest.front() != ':') return std::nullopt;
  split.port = rest.substr(1);
  split.has_port = true;
  return split;
}

}  // namespace

Parsed<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_whole(text).value;
  if (!number || *number < 1 || *number > 65535) return Parsed<std::uint16_t>::bad("is not a port (1-65535)");
  return Parsed<std::uint16_t>::good(static_cast<std::uint16_t>(*number));
}

Parsed<Address> parse_listen_address(std::string_view text) {
  const auto split = split_host_port(text);
  const auto number = split ? parse_whole(split->port).value : std::nullopt;
  if (!number || *number > 65535) {
    return Parsed<Address>::bad(
        "is not HOST:PORT (port 0-65535, 0 lets the kernel choose), such as \"127.0.0.1:9847\" or "
        "\"[::1]:9847\"");
  }
  return Parsed<Address>::good({split->host, static_cast<std::uint16_t>(*number)});
}

bool is_host(std::string_view host) {
  constexpr std::size_t kLongestHostName = 253;  // RFC 1035 section 2.3.4
  if (host.empty() || host.size() > kLongestHostName) return false;
  if (host.find(':') != std::string_view::npos) return is_ipv6(std::string(host));
  if (!is_alphanumeric(host.front()) || host.find("..") != std::string_view::npos) return false;
  return std::all_of(host.begin(), host.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

bool is_loopback(std::string_view host) {
  const std::string text(host);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return text == "localhost";
}

Parsed<Secret> parse_http_url(std::string_view text) {
  const auto bad = [](const char* why) { return Parsed<Secret>::bad(why); };
  const std::string scheme = url_scheme(text);
  if (scheme != "http" && scheme != "https") return bad("must be an absolute http:// or https:// URL");
  std::string_view rest = text.substr(scheme.size());
  if (!rest.starts_with("://")) return bad("must be an absolute http:// or https:// URL");
  rest.remove_prefix(3);
  if (!is_url_text(rest))
    return bad("must not contain blanks, control bytes or bytes above 127; percent-encode them");
  if (rest.find('#') != std::string_view::npos) return bad("must not have a fragment (#...)");

  std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) authority.remove_prefix(at + 1);
  const auto split = split_host_port(authority);
  if (!split) return bad("has no valid host after ://");
  if (split->has_port && !parse_port(split->port).value)
    return bad("has no valid port (1-65535) after the host");
  return Parsed<Secret>::good(Secret(scheme + "://" + std::string(rest)));
}

bool is_http_path(std::string_view path) {
  return path.starts_with('/') && is_url_text(path) && path.find('#') == std::string_view::npos;
}

Parsed<Secret> parse_database_url(std::string_view text, const std::filesystem::path& directory) {
  const std::string scheme = url_scheme(text);
  const auto bad = [](std::string why) { return Parsed<Secret>::bad(std::move(why)); };
  std::string_view rest = text.substr(scheme.empty() ? 0 : scheme.size() + 1);

  if (scheme == "postgres" || scheme == "postgresql") {
    if (!rest.starts_with("//"))
      return bad("must go on with // after the scheme: postgresql://user@host:5432/database");
    if (!is_url_text(rest))
      return bad("must not contain blanks, control bytes or bytes above 127; percent-encode them");
    return Parsed<Secret>::good(Secret(scheme + ":" + std::string(rest)));
  }
  if (scheme == "sqlite") {
    if (rest.starts_with("//")) rest.remove_prefix(2);
    if (rest == ":memory:") return Parsed<Secret>::good(Secret("sqlite::memory:"));
    const std::string_view path = rest.substr(0, rest.find('?'));
    const std::string_view query = rest.substr(path.size());
    if (path.empty() || path.find('\0') != std::string_view::npos) {
      return bad("names no file: write sqlite:data.db or sqlite:///srv/app/data.db");
    }
    const auto absolute = (std::filesystem::path(encode_path(directory.string())) / path).lexically_normal();
    return Parsed<Secret>::good(Secret("sqlite://" + absolute.string() + std::string(query)));
  }
  return bad("is of no kind that can be probed; use postgres:, postgresql: or sqlite:");
}

std::string url_scheme(std::string_view url) {
  constexpr std::size_t kLongestScheme = 32;
  const std::size_t colon = url.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > kLongestScheme) return {};
  const auto fits = [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; };
  const std::string scheme = to_lower(url.substr(0, colon));
  return std::all_of(scheme.begin(), scheme.end(), fits) ? scheme : "";
}

bool carries_password(std::string_view text) {
  if (text.find("://") == std::string_view::npos) return false;
  const std::vector<std::string> secrets = find_url_secrets(text);
  return std::any_of(secrets.begin(), secrets.end(),
                     [](const std::string& secret) { return !secret.empty(); });
}

}  // namespace codex
