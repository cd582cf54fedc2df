#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/os/clock.h"
#include "agent/text/secret.h"

namespace codex {

enum class ProbeKind { kPort, kHttp, kDatabase };
/// As in Kubernetes: `startup` gates the other two; a failing `liveness` restarts, a failing `readiness`
/// degrades.
enum class ProbeRole { kStartup, kLiveness, kReadiness };

std::string_view to_string(ProbeKind kind);  ///< "port" "http" "database"
std::string_view to_string(ProbeRole role);  ///< "startup" "liveness" "readiness"

struct HttpExpectation {
  std::vector<std::pair<int, int>> status = {{200, 399}};  ///< inclusive ranges that count as success
  std::string body_contains;                               ///< "" = any
  std::string body_regex;  ///< "" = any; POSIX extended (regcomp(3)), checked at load
  std::vector<std::pair<std::string, std::string>> headers;  ///< sent with the request
  bool follow_redirects = false;                             ///< at most 5, same host only
  bool tls_verify = true;
  std::string ca_file;  ///< "" = the system's
};

/// One configured probe. Durations are validated at load: 0 < timeout, 0 < period.
struct ProbeSpec {
  std::string name;  ///< label `probe`; [a-z][a-z0-9_-]*, unique in its backend
  ProbeKind kind = ProbeKind::kPort;
  ProbeRole role = ProbeRole::kLiveness;
  Duration period = std::chrono::seconds(5);
  Duration timeout = std::chrono::seconds(5);
  Duration initial_delay{0};
  int failure_threshold = 3;
  int success_threshold = 1;
  /// port: where to connect; the listener must belong to the backend. A named extra port probe may look
  /// at any host.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  /// port, http: only the listener of the backend's own process tree is asked, at the address to which it is
  /// bound; http then takes host and port from `url` for the request alone.
  bool own_listener = false;
  /// http: absolute http:// or https:// URL. database: postgres:, postgresql: or sqlite: URL.
  Secret url;
  HttpExpectation http;
  /// The URL or host:port without user info and secrets; label of codex_agent_probe_info.
  std::string target;
};

}  // namespace codex
