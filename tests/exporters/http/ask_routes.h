#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "exporters/http/http_routes.h"

namespace codex::testing {

struct Asked {
  std::string bytes;
  bool parked;
};

/// What a control socket's front would send to one who sends these bytes; "" while it waits for more.
Asked ask(const HttpRoutes& routes, std::string_view request, std::optional<uid_t> peer_uid = std::nullopt);

/// The bytes of the answer to `GET path`. `fields`: lines that end in CRLF.
std::string get(const HttpRoutes& routes, const std::string& path, const std::string& fields = "");

/// Status of a raw response, 0 if it does not begin with a status line.
int status_of(std::string_view response);

}  // namespace codex::testing
