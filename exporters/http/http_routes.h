#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/http/http_head.h"
#include "exporters/http/http_response.h"

namespace codex {

/// One complete request, as the routes see it.
struct HttpRequest {
  std::string method, path;                             ///< path without the query, decoded
  std::map<std::string, std::string> query;             ///< decoded
  std::string body;                                     ///< "" on TCP
  std::function<std::string(const char* name)> header;  ///< "" if absent; only while the handler runs
  std::optional<uid_t> peer_uid;                        ///< Unix socket only (SO_PEERCRED, unix(7))
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// Routes by method and path.
class HttpRoutes {
 public:
  /// `pattern`: a path; R"((\d+))" in it, as in R"(/v1/operations/(\d+))", stands for a number. These arrive
  /// as query["1"], query["2"] ... GET serves HEAD too.
  void get(std::string pattern, HttpHandler handler);
  void post(std::string pattern, HttpHandler handler);

  /// Runs the handler of one complete request. Without one: 405 for a method or 404 for a path that nothing
  /// has, 400 for a target that is no path. An exception in a handler is a 500 without a body.
  [[nodiscard]] HttpResponse respond(const HttpHead& head, std::string_view body,
                                     std::optional<uid_t> peer_uid) const;

 private:
  struct Route {
    std::set<std::string> methods;
    std::string pattern;
    HttpHandler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace codex
