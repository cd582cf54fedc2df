// The only file that includes httplib.h.
#include <httplib.h>

#include <csignal>
#include <cstring>
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
  bool dry = false;  // only find out whether a route matches
  bool matched = false;
  bool parked = false;
};

/// The request as httplib gets to see it: nothing that it would act on by itself (Range, Expect, compression,
/// forms) and nothing that it would decode wrongly (0.11 percent-decodes header values).
std::string bare_request(const std::string& method, const HttpHead& head, std::string_view body) {
  std::string request = method + " " + head.target + " HTTP/1.1\r\n";
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

std::string not_allowed(const std::set<std::string>& methods) {
  std::string allow;
  for (const std::string& method : methods) allow += (allow.empty() ? "Allow: " : ", ") + method;
  return bodiless_response(405, allow + "\r\n");
}

}  // namespace

struct HttpRoutes::Impl {
  Server server;
  std::set<std::string> methods;  // that have a route
  Call* call = nullptr;           // of respond(), while it runs

  Impl() {
    server.set_default_headers(
        {{"Accept-Ranges", "none"}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
    server.set_exception_handler([](const httplib::Request&, httplib::Response& response,
                                    std::exception_ptr) { response.status = 500; });
  }

  std::string run(Call& next, const std::string& method, std::string_view body) {
    Call* const outer = std::exchange(call, &next);
    std::string response = server.run(bare_request(method, next.head, body));
    call = outer;
    return response;
  }

  /// The methods whose routes match the target of this head.
  std::set<std::string> methods_for(const HttpHead& head) {
    std::set<std::string> found;
    for (const std::string& method : methods) {
      Call attempt{head, std::nullopt, /*dry=*/true};
      run(attempt, method, {});
      if (attempt.matched) found.insert(method);
    }
    return found;
  }

  httplib::Server::Handler wrap(HttpHandler handler) {
    return [this, handler = std::move(handler)](const httplib::Request& from, httplib::Response& to) {
      call->matched = true;
      if (call->dry) return;
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
  impl_->methods.insert({"GET", "HEAD"});
  impl_->server.Get(pattern, impl_->wrap(std::move(handler)));
}

void HttpRoutes::post(const std::string& pattern, HttpHandler handler) {
  impl_->methods.insert("POST");
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
  if (!impl_->methods.contains(head.method)) return not_allowed(impl_->methods);
  const std::string_view body = std::string_view(request).substr(*end.size);
  if (head.target.front() != '/' || body.size() != head.content_length) return bodiless_response(400);

  Call call{head, peer_uid};
  std::string response = impl_->run(call, head.method, body);
  parked = call.parked;
  if (!call.matched && status_of(response) == 404) {
    const auto others = impl_->methods_for(head);
    if (!others.empty()) return not_allowed(others);
  }
  return response.empty() ? bodiless_response(400) : response;
}

}  // namespace codex
