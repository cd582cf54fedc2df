#pragma once

#include <optional>
#include <string>

namespace codex {

/// The parts of an http:// or https:// URL, as libcurl reads it (curl_url_get(3)), so that nothing can be
/// read in two ways. Holds no user info.
struct HttpTarget {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< in punycode; brackets around IPv6
  std::string port;
  std::string path;
};

/// nullopt if it is no such URL.
std::optional<HttpTarget> parse_http_target(const std::string& url);

/// Whether a redirect may be followed: the same host, and never from https back to http.
bool may_follow(const HttpTarget& from, const HttpTarget& to);

}  // namespace codex
