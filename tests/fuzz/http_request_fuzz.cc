#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exporters/http/http_front.h"
#include "exporters/http/request_reader.h"

namespace {

using codex::HttpRequest;
using codex::HttpResponse;
using codex::HttpRoutes;
using codex::RequestReader;

HttpRoutes make_routes() {
  HttpRoutes routes;
  const auto echo = [](const HttpRequest& request) {
    HttpResponse response;
    response.body = request.body + request.header("Accept");
    for (const auto& [name, value] : request.query) response.body += name + value;
    return response;
  };
  routes.get("/metrics", echo);
  routes.get(R"(/v1/operations/(\d+))", echo);
  routes.post("/v1/start", echo);
  return routes;
}

void expect(bool holds) {
  if (!holds) std::abort();
}

/// Exactly one final response, whatever came.
void expect_one_response(const HttpRoutes& routes, const RequestReader& reader) {
  const HttpResponse response = routes.respond(reader.head(), reader.body(), std::nullopt);
  expect(response.status >= 200 && response.status < 500);
  expect(!response.park && !response.error);
  const std::string bytes = codex::wire_bytes(response, reader.asks_for_head_only());
  expect(bytes.starts_with("HTTP/1.1 ") && bytes.find("\r\n\r\n") != std::string::npos);
}

void read_in_two_pieces(const HttpRoutes& routes, std::string_view bytes, std::size_t body_bytes) {
  codex::HttpLimits limits;
  limits.body_bytes = body_bytes;
  RequestReader whole(limits), pieces(limits);
  whole.feed(bytes);
  pieces.feed(bytes.substr(0, bytes.size() / 2));
  pieces.feed(bytes.substr(bytes.size() / 2));
  expect(whole.state() == pieces.state());
  expect(whole.request().size() <= limits.head_bytes + limits.body_bytes);
  if (whole.state() == RequestReader::State::kRefused) expect(whole.error_status() >= 400);
  if (whole.state() != RequestReader::State::kComplete) return;
  expect(whole.request() == pieces.request());
  expect_one_response(routes, whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const HttpRoutes routes = make_routes();
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  codex::parse_http_head(bytes);
  read_in_two_pieces(routes, bytes, 0);
  read_in_two_pieces(routes, bytes, 64 * 1024);
  return 0;
}
