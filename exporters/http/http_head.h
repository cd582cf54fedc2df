#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace codex {

/// Request line and header fields (RFC 9112 sections 3 and 5), read strictly: what two parsers could
/// understand differently is an error.
struct HttpHead {
  std::string method, target;
  bool http_1_0 = false;
  std::vector<std::pair<std::string, std::string>> fields;  ///< names in lower case, values trimmed
  std::uint64_t content_length = 0;                         ///< 0 without the field

  /// Values of the field, joined by ", " (RFC 9110 section 5.3); "" without one. `name` in any case.
  [[nodiscard]] std::string field(std::string_view name) const;
  /// `target` up to the query, and the query; not decoded.
  [[nodiscard]] std::string_view path() const;
  [[nodiscard]] std::string_view query() const;
};

/// Either a head or the status to refuse it with: 400 malformed, 414 target over 2 KiB, 501 transfer
/// coding, 505 HTTP version.
struct ParsedHead {
  std::optional<HttpHead> head;
  int error_status = 0;
};

/// `text` is everything up to and with the empty line. Refused with 400: bare CR or LF, NUL and other control
/// bytes, folded lines, blanks before a colon, more than one Content-Length or Host, Content-Length beside
/// Transfer-Encoding, a missing Host in HTTP/1.1.
ParsedHead parse_http_head(std::string_view text);

/// Where a head ends, while it arrives in pieces.
struct HeadEnd {
  bool malformed = false;           ///< a bare LF or a NUL: no need to wait for more
  std::optional<std::size_t> size;  ///< bytes up to and with the empty line
};

/// Looks at `bytes` from `from` on (bytes before were looked at by an earlier call).
HeadEnd find_head_end(std::string_view bytes, std::size_t from);

}  // namespace codex
