#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace codex {

/// What a handler answers.
struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";  ///< "": the field is left out
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< in the place of a default one of that name
  /// Long poll: nothing to say yet. The front keeps the request and runs its handler again at each
  /// HttpFront::wake_parked(); after `park_limit` it sends this response as it is.
  bool park = false;
  std::exception_ptr error;  ///< what the handler threw; for the log, nothing of it is sent
};

/// A response that is its status and nothing else.
HttpResponse bodiless_response(int status);

/// The bytes to send (RFC 9112); the connection is closed after them. `head_only`: as HEAD wants them,
/// without the body.
std::string wire_bytes(const HttpResponse& response, bool head_only);

}  // namespace codex
