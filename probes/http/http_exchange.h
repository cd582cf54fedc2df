#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/os/clock.h"
#include "agent/sockets/network_namespace.h"
#include "probes/http/curl_multi.h"
#include "probes/probe.h"
#include "probes/probe_spec.h"

namespace codex {

/// A response head may be this long, 1xx answers included; a longer one is given up.
inline constexpr std::size_t kMaxHttpHead = 16 * 1024;
/// This much of a body is read, then the connection is closed.
inline constexpr std::size_t kMaxHttpBody = 64 * 1024;

/// Where one request goes.
struct HttpDestination {
  std::string url;
  std::string host;                    ///< of the URL, as libcurl writes it
  std::string port;                    ///< of the URL, or the scheme's
  std::vector<std::string> addresses;  ///< numeric addresses of the host; libcurl resolves nothing
  bool elsewhere = false;              ///< connect to `addresses` even where the URL names a number
  NetworkNamespace network;            ///< in which to connect
};

/// What came back, so far.
struct HttpReply {
  int code = 0;              ///< CURLcode; meaningful once the exchange finished
  int error_number = 0;      ///< errno of the connection, 0 if none
  int own_error_number = 0;  ///< errno with which we could not even make a socket, 0 if none
  std::string error_text;    ///< libcurl's words; may quote the peer
  bool connected = false;    ///< TCP is established
  bool tls_pending = false;  ///< the TLS handshake began and did not end
  bool first_byte = false;
  bool head_complete = false;
  bool head_too_large = false;
  int status = 0;  ///< of the final answer, 0 while there is none
  std::size_t head_bytes = 0;
  std::string body;                    ///< at most kMaxHttpBody
  bool body_cut = false;               ///< there was more
  std::optional<TimePoint> body_came;  ///< when its newest bytes did
  std::string location;                ///< absolute URL of a redirect, "" if there is none
  std::vector<PhaseTime> phases;       ///< connect, tls, processing, transfer, as far as reached
};

/// One GET with a fresh connection, bounded in bytes; its owner bounds it in time. No proxy, cookies,
/// redirects, compression or credentials from the environment. Loop thread.
class HttpExchange {
 public:
  /// Sends the request. `finished` is called from the loop, at most once, and may destroy the exchange.
  /// `patience` only tells libcurl how to share the time among several addresses.
  /// Throws std::runtime_error if libcurl refuses the request.
  HttpExchange(CurlMulti& multi, const HttpDestination& destination, const HttpExpectation& expectation,
               Duration patience, std::function<void()> finished);
  ~HttpExchange();  ///< gives the exchange up
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  [[nodiscard]] HttpReply reply() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace codex
