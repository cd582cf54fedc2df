#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace codex {

/// Every text in `url` that may be a password or a part of one, as programs echo it: the password between the
/// first ':' and the last '@', what a parser finds before, between and after the delimiters in it, and the
/// value of each `password=` in the query or in a keyword/value string. Works on malformed URLs above all;
/// there it would rather name an innocent word than miss a secret.
std::vector<std::string> find_url_secrets(std::string_view url);

/// `url` with its userinfo password and its query's passwords, tokens and keys removed, and its fragment; for
/// labels and messages. Returns "(unparsable URL)" rather than risk showing a password in a malformed one.
std::string url_without_secrets(std::string_view url);

/// Percent-decoding (RFC 3986 section 2.1); malformed escapes are kept as they are.
std::string percent_decode(std::string_view text);

}  // namespace codex
