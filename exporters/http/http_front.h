#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/os/event_loop.h"
#include "agent/os/unique_fd.h"
#include "exporters/http/http_routes.h"

namespace codex {

/// Limits of one front; the defaults are for the metrics port.
struct HttpLimits {
  std::size_t head_bytes = 8 * 1024;
  std::size_t body_bytes = 0;     ///< 0: a request with a body is refused with 405 or 413
  std::size_t connections = 256;  ///< one more evicts the oldest
  Duration request_deadline = std::chrono::seconds(3);   ///< from accept to the last byte of the request
  Duration response_deadline = std::chrono::seconds(3);  ///< to write the answer
  Duration park_limit = std::chrono::seconds(20);
};

/// Label values of codex_agent_http_requests_total: these paths, anything else is kOtherHttpHandler.
inline constexpr std::string_view kOtherHttpHandler = "other";
inline constexpr std::string_view kHttpHandlers[] = {
    "/metrics", "/", "/api/v1/status", "/api/v1/history", "/-/healthy", "/-/ready", kOtherHttpHandler};
/// Label values of codex_agent_http_rejected_connections_total. `accept`: accept4(2) itself failed.
inline constexpr std::string_view kHttpRejections[] = {"deadline",  "limit",     "malformed",
                                                       "too_large", "forbidden", "accept"};

/// Counters of one front; codex_agent_http_*.
struct HttpStats {
  std::map<std::pair<std::string, int>, std::uint64_t> requests;  ///< (handler path or "other", status)
  std::map<std::string, std::uint64_t> rejected;                  ///< by kHttpRejections
  std::size_t in_flight = 0;
};

/// Accepts connections on our own loop, reads one complete request each, hands it to the routes, answers,
/// closes. Slow, greedy or hostile clients cost a bounded buffer and are cut by a deadline; an accept error
/// never ends it. One request a connection (`Connection: close`). Loop thread.
class HttpFront {
 public:
  /// `listener`: bound and listening, non-blocking, CLOEXEC (see listen_tcp, listen_unix).
  /// `allowed_hosts`: lower-case host names without port for the Host check (421 otherwise); empty = no
  /// check. `allowed_uid`: on a Unix socket, peers with another uid (but 0) are closed at once.
  HttpFront(EventLoop& loop, UniqueFd listener, const HttpRoutes& routes, HttpLimits limits,
            std::vector<std::string> allowed_hosts, std::optional<uid_t> allowed_uid);
  ~HttpFront();

  void wake_parked();  ///< something changed: ask the parked requests again
  [[nodiscard]] const HttpStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Binds a TCP listener (SO_REUSEADDR, never SO_REUSEPORT). Throws std::runtime_error that says who holds
/// the port and what to do. `host` is numeric, or "localhost".
UniqueFd listen_tcp(const std::string& host, std::uint16_t port);

/// Binds a Unix socket with mode 0600, replacing a stale one. The caller holds the directory's lock, so
/// nobody else can be listening. Throws std::runtime_error, e.g. for a path over 107 bytes (unix(7)).
UniqueFd listen_unix(const std::string& path);

}  // namespace codex
