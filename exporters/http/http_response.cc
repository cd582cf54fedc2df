#include "exporters/http/http_response.h"

#include <map>
#include <string_view>

namespace codex {

namespace {

/// Every status that a handler or the front gives; another one goes without words (RFC 9112 section 4).
constexpr std::pair<int, std::string_view> kReasons[] = {
    {200, "OK"},
    {202, "Accepted"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {421, "Misdirected Request"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

std::string_view reason_phrase(int status) {
  for (const auto& [known, words] : kReasons) {
    if (known == status) return words;
  }
  return {};
}

}  // namespace

HttpResponse bodiless_response(int status) {
  HttpResponse response;
  response.status = status;
  response.content_type.clear();
  return response;
}

std::string wire_bytes(const HttpResponse& response, bool head_only) {
  std::map<std::string, std::string> fields = {{"Accept-Ranges", "none"},
                                               {"Cache-Control", "no-store"},
                                               {"Connection", "close"},
                                               {"Content-Length", std::to_string(response.body.size())},
                                               {"X-Content-Type-Options", "nosniff"}};
  if (!response.content_type.empty()) fields["Content-Type"] = response.content_type;
  for (const auto& [name, value] : response.headers) fields[name] = value;
  std::string bytes = "HTTP/1.1 " + std::to_string(response.status) + " ";
  bytes.append(reason_phrase(response.status)).append("\r\n");
  for (const auto& [name, value] : fields) bytes.append(name).append(": ").append(value).append("\r\n");
  bytes += "\r\n";
  if (!head_only) bytes += response.body;
  return bytes;
}

}  // namespace codex
