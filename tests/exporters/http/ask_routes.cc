#include "tests/exporters/http/ask_routes.h"

#include <charconv>

#include "exporters/http/request_reader.h"

namespace codex::testing {

Asked ask(const HttpRoutes& routes, std::string_view request, std::optional<uid_t> peer_uid) {
  HttpLimits limits;
  limits.body_bytes = 64 * 1024;
  RequestReader reader(limits);
  switch (reader.feed(request)) {
    case RequestReader::State::kReading:
      return {"", false};
    case RequestReader::State::kRefused:
      return {wire_bytes(bodiless_response(reader.error_status()), false), false};
    case RequestReader::State::kComplete:
      break;
  }
  const HttpResponse response = routes.respond(reader.head(), reader.body(), peer_uid);
  return {wire_bytes(response, reader.asks_for_head_only()), response.park};
}

std::string get(const HttpRoutes& routes, const std::string& path, const std::string& fields) {
  return ask(routes, "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n").bytes;
}

int status_of(std::string_view response) {
  constexpr std::string_view kPrefix = "HTTP/1.1 ";
  int status = 0;
  if (response.starts_with(kPrefix) && response.size() >= kPrefix.size() + 3) {
    std::from_chars(response.data() + kPrefix.size(), response.data() + kPrefix.size() + 3, status);
  }
  return status;
}

}  // namespace codex::testing
