#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "agent/config_files/diagnostics.h"
#include "agent/text/secret.h"

/// Ports, host:port and URLs of a configuration. Pure functions; no name is resolved. No error repeats the
/// text.

namespace codex {

/// "1" to "65535".
Parsed<std::uint16_t> parse_port(std::string_view text);

struct Address {
  std::string host;  ///< IPv6 without brackets
  std::uint16_t port = 0;
};

/// "127.0.0.1:9847", "[::1]:9847", "metrics.example:0". Port 0 lets the kernel choose.
Parsed<Address> parse_listen_address(std::string_view text);

/// A host name or an IP address, an IPv6 one without brackets.
bool is_host(std::string_view host);

/// True for 127.0.0.0/8, ::1 and localhost.
bool is_loopback(std::string_view host);

/// Accepts an absolute http:// or https:// URL without fragment, blanks or control bytes (RFC 3986).
Parsed<Secret> parse_http_url(std::string_view text);

/// Accepts an absolute path with optional query: "/health?deep=1".
bool is_http_path(std::string_view path);

/// postgres:, postgresql: (libpq "Connection URIs") or sqlite:. A relative SQLite path is taken against
/// `directory` and comes back as sqlite:///ABSOLUTE; "sqlite::memory:" stays.
Parsed<Secret> parse_database_url(std::string_view text, const std::filesystem::path& directory);

/// The scheme of a URL in lower case, "" if it has none. Safe to show.
std::string url_scheme(std::string_view url);

/// True if `text` is a URL with a password in its userinfo or query.
bool carries_password(std::string_view text);

}  // namespace codex
