// The only file that includes httplib.h.
#include <httplib.h>

#include <csignal>
#include <cstring>
#include <regex>
#include <set>
#include <utility>

#include "exporters/http_front.h"
#include "exporters/http_head.h"

namespace codex {

namespace {

static_assert(std::string_view(CPPHTTPLIB_VERSION).starts_with("0.11."),
              "process_request() is no public interface: check it against this version");

/// A request that is already complete and a response that goes nowhere yet.
class MemoryStream : public httplib::Stream {
 public:
  explicit MemoryStream(std::string input) : input_(std::move(input)) {}

  bool is_readable() const override { return position_ < input_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const std::size_t n = std::min(size, input_.size() - position_);
    std::memcpy(to, input_.data() + position_, n);
    position_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, std::size_t size) override {
    output_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

  std::string take_output() { return std::move(output_); }

 private:
  std::string input_, output_;
  std::size_t position_ = 0;
};

struct SavedSigpipe {
  struct sigaction before {};
  SavedSigpipe() { ::sigaction(SIGPIPE, nullptr, &before); }
};

class Server : private SavedSigpipe, public httplib::Server {
 public:
  /// httplib's constructor ignores SIGPIPE for the whole process, and children would inherit that.
  Server() { ::sigaction(SIGPIPE, &before, nullptr); }

  std::string run(std::string request) {
    MemoryStream stream(std::move(request));
    bool closed = false;
    process_request(stream, /*close_connection=*/true, closed, nullptr);
    return stream.take_output();
  }
};

/// What a handler may ask beside httplib's own view of the request.
struct Call {
  const HttpHead& head;
  std::optional<uid_t> peer_uid;
  bool parked = false;
};

/// The request as httplib gets to see it: nothing that it would act on by itself (Range, Expect, compression,
/// forms) and nothing that it would decode wrongly (0.11 percent-decodes header values).
std::string bare_request(const HttpHead& head, std::string_view body) {
  std::string request = head.method + " " + head.target + " HTTP/1.1\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return request.append(body);
}

HttpRequest to_request(const httplib::Request& from, const Call& call) {
  HttpRequest request;
  request.method = from.method;
  request.path = from.path;
  request.body = from.body;
  request.peer_uid = call.peer_uid;
  request.query.insert(from.params.begin(), from.params.end());
  for (std::size_t i = 1; i < from.matches.size(); ++i) {
    request.query[std::to_string(i)] = from.matches[i].str();
  }
  request.header = [&head = call.head](const char* name) { return head.field(name); };
  return request;
}

std::string join(const std::set<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : ", ") + word;
  return joined;
}

}  // namespace

struct HttpRoutes::Impl {
  Server server;
  std::vector<std::pair<std::string, std::regex>> routes;  // (method, path), for 405 and Allow
  Call* call = nullptr;                                    // of respond(), while it runs

  Impl() {
    server.set_default_headers(
        {{"Accept-Ranges", "none"}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
    server.set_exception_handler([](const httplib::Request&, httplib::Response& response,
                                    std::exception_ptr) { response.status = 500; });
    server.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      return refuse_unknown(request, response);
    });
  }

  std::set<std::string> methods_of(const std::string* path) const {
    std::set<std::string> methods;
    for (const auto& [method, pattern] : routes) {
      if (path != nullptr && !std::regex_match(*path, pattern)) continue;
      methods.insert(method);
      if (method == "GET") methods.insert("HEAD");
    }
    return methods;
  }

  httplib::Server::HandlerResponse refuse_unknown(const httplib::Request& request,
                                                  httplib::Response& response) const {
    const auto methods = methods_of(&request.path);
    if (methods.contains(request.method)) return httplib::Server::HandlerResponse::Unhandled;
    response.status = methods.empty() ? 404 : 405;
    if (!methods.empty()) response.set_header("Allow", join(methods));
    return httplib::Server::HandlerResponse::Handled;
  }

  httplib::Server::Handler wrap(HttpHandler handler) {
    return [this, handler = std::move(handler)](const httplib::Request& from, httplib::Response& to) {
      HttpResponse response;
      try {
        response = handler(to_request(from, *call));
      } catch (...) {  // Its text may hold a secret and is nobody's business out there.
        response = {};
        response.status = 500;
        response.content_type.clear();
      }
      call->parked = response.park;
      to.status = response.status;
      for (const auto& [name, value] : response.headers) {
        to.headers.erase(name);
        to.set_header(name, value);
      }
      if (!response.content_type.empty()) to.set_content(response.body, response.content_type);
    };
  }
};

HttpRoutes::HttpRoutes() : impl_(std::make_unique<Impl>()) {}
HttpRoutes::~HttpRoutes() = default;
HttpRoutes::HttpRoutes(HttpRoutes&&) noexcept = default;

void HttpRoutes::get(const std::string& pattern, HttpHandler handler) {
  impl_->routes.emplace_back("GET", std::regex(pattern));
  impl_->server.Get(pattern, impl_->wrap(std::move(handler)));
}

void HttpRoutes::post(const std::string& pattern, HttpHandler handler) {
  impl_->routes.emplace_back("POST", std::regex(pattern));
  impl_->server.Post(pattern, impl_->wrap(std::move(handler)));
}

std::string HttpRoutes::respond(const std::string& request, std::optional<uid_t> peer_uid,
                                bool& parked) const {
  parked = false;
  const HeadEnd end = find_head_end(request, 0);
  if (!end.size) return bodiless_response(400);
  const ParsedHead parsed = parse_http_head(std::string_view(request).substr(0, *end.size));
  if (!parsed.head) return bodiless_response(parsed.error_status);
  const HttpHead& head = *parsed.head;
  const auto methods = impl_->methods_of(nullptr);
  if (!methods.contains(head.method)) return bodiless_response(405, "Allow: " + join(methods) + "\r\n");
  const std::string_view body = std::string_view(request).substr(*end.size);
  if (head.target.front() != '/' || body.size() != head.content_length) return bodiless_response(400);

  Call call{head, peer_uid};
  Call* const outer = std::exchange(impl_->call, &call);
  std::string response = impl_->server.run(bare_request(head, body));
  impl_->call = outer;
  parked = call.parked;
  return response.empty() ? bodiless_response(400) : response;
}

}  // namespace codex
