#include "exporters/http/http_routes.h"

#include <algorithm>
#include <utility>

#include "agent/text/url_secrets.h"

namespace codex {

namespace {

using Methods = std::set<std::string>;
constexpr std::string_view kNumber = R"((\d+))";

/// As forms encode a query.
std::string form_decode(std::string_view text) {
  std::string blanks(text);
  std::replace(blanks.begin(), blanks.end(), '+', ' ');
  return percent_decode(blanks);
}

/// Of equal names the first counts.
std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> values;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const std::string_view name = pair.substr(0, pair.find('='));
    const std::string_view value = pair.substr(std::min(pair.size(), name.size() + 1));
    if (!name.empty()) values.emplace(form_decode(name), form_decode(value));
  }
  return values;
}

/// What stands in `path` for the numbers of the pattern; nullopt if it is not of this pattern.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> numbers;
  for (;;) {
    const std::string_view literal = pattern.substr(0, pattern.find(kNumber));
    if (!path.starts_with(literal)) return std::nullopt;
    path.remove_prefix(literal.size());
    pattern.remove_prefix(literal.size());
    if (pattern.empty()) break;
    const std::string_view number = path.substr(0, path.find_first_not_of("0123456789"));
    if (number.empty()) return std::nullopt;
    numbers.emplace_back(number);
    path.remove_prefix(number.size());
    pattern.remove_prefix(kNumber.size());
  }
  return path.empty() ? std::optional(numbers) : std::nullopt;
}

HttpResponse not_allowed(const Methods& methods) {
  std::string allow;
  for (const std::string& method : methods) allow += (allow.empty() ? "" : ", ") + method;
  HttpResponse response = bodiless_response(405);
  response.headers.emplace_back("Allow", std::move(allow));
  return response;
}

HttpResponse run(const HttpHandler& handler, const HttpRequest& request) {
  try {
    return handler(request);
  } catch (...) {  // Its text may hold a secret and is nobody's business out there.
    HttpResponse response = bodiless_response(500);
    response.error = std::current_exception();
    return response;
  }
}

}  // namespace

void HttpRoutes::get(std::string pattern, HttpHandler handler) {
  routes_.push_back({{"GET", "HEAD"}, std::move(pattern), std::move(handler)});
}

void HttpRoutes::post(std::string pattern, HttpHandler handler) {
  routes_.push_back({{"POST"}, std::move(pattern), std::move(handler)});
}

HttpResponse HttpRoutes::respond(const HttpHead& head, std::string_view body,
                                 std::optional<uid_t> peer_uid) const {
  HttpRequest request;
  request.method = head.method;
  request.path = percent_decode(head.path());
  const Route* chosen = nullptr;
  Methods all, of_this_path;
  for (const Route& route : routes_) {
    all.insert(route.methods.begin(), route.methods.end());
    const auto numbers = match(route.pattern, request.path);
    if (!numbers) continue;
    of_this_path.insert(route.methods.begin(), route.methods.end());
    if (chosen != nullptr || !route.methods.contains(head.method)) continue;
    chosen = &route;
    for (const std::string& number : *numbers) {
      request.query.emplace(std::to_string(request.query.size() + 1), number);
    }
  }
  if (!all.contains(head.method)) return not_allowed(all);
  if (head.target.front() != '/' || body.size() != head.content_length) return bodiless_response(400);
  if (chosen == nullptr) return of_this_path.empty() ? bodiless_response(404) : not_allowed(of_this_path);

  request.query.merge(parse_query(head.query()));
  request.body = body;
  request.header = [&head](const char* name) { return head.field(name); };
  request.peer_uid = peer_uid;
  return run(chosen->handler, request);
}

}  // namespace codex
