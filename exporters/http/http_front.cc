#include "exporters/http/http_front.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/os/check.h"
#include "agent/text/words.h"
#include "exporters/http/http_connection.h"

namespace codex {

namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr Duration kDeadlineAccuracy = std::chrono::milliseconds(20);
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

/// "Example.org:9847" -> "example.org", "[::1]:80" -> "::1".
std::string host_name(std::string host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return to_lower(end == std::string::npos ? host : host.substr(1, end - 1));
  }
  const auto colon = host.find(':');
  if (colon != std::string::npos && host.find(':', colon + 1) == std::string::npos) host.resize(colon);
  if (host.ends_with('.')) host.pop_back();
  return to_lower(host);
}

std::string_view handler_label(std::string_view path) {
  const auto* const found = std::find(std::begin(kHttpHandlers), std::end(kHttpHandlers), path);
  return found == std::end(kHttpHandlers) ? kOtherHttpHandler : *found;
}

bool is_unix_socket(int socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return check("getsockopt", ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size)) == 0 &&
         domain == AF_UNIX;
}

std::optional<uid_t> uid_of_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

bool out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE;
}

/// Errors of one connection, not of the listener (accept(2), "Error handling").
bool concerns_one_connection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPERM:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct HttpFront::Impl {
  using Id = std::uint64_t;

  EventLoop& loop;
  UniqueFd listener;
  const HttpRoutes& routes;
  HttpLimits limits;
  std::vector<std::string> allowed_hosts;
  std::optional<uid_t> allowed_uid;
  bool is_unix;
  Priority priority;  // a Unix socket carries an operator's commands
  HttpStats stats;
  UniqueFd
      reserve;  // given up to get rid of a connection when no descriptor is left; empty when there was none
  Id next_id = 0;
  std::map<Id, std::unique_ptr<HttpConnection>> connections;  // by age
  TimePoint armed_for;
  Timer deadlines;
  Timer wake;
  Timer resume_accept;
  FdWatch accept_watch;

  Impl(EventLoop& event_loop, UniqueFd listening, const HttpRoutes& http_routes, HttpLimits http_limits,
       std::vector<std::string> hosts, std::optional<uid_t> uid)
      : loop(event_loop),
        listener(std::move(listening)),
        routes(http_routes),
        limits(http_limits),
        allowed_hosts(std::move(hosts)),
        allowed_uid(uid),
        is_unix(is_unix_socket(listener.get())),
        priority(is_unix ? Priority::kUrgent : Priority::kNormal),
        deadlines(
            loop, "http deadlines", [this] { cut_late(); }, Priority::kNormal, kDeadlineAccuracy),
        wake(
            loop, "http wake", [this] { ask_parked(); }, priority, std::chrono::microseconds(1)),
        resume_accept(loop, "http accept pause", [this] { accept_watch.set_events(EPOLLIN); }),
        accept_watch(
            loop, "http accept", listener.get(), EPOLLIN, [this](std::uint32_t) { accept_some(); },
            priority) {
    refill_reserve();
    for (std::string& host : allowed_hosts) host = host_name(std::move(host));
    for (const std::string_view reason : kHttpRejections) stats.rejected.emplace(reason, 0);
  }

  void reject(const char* reason) { ++stats.rejected[reason]; }

  void accept_some() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket) {
        refill_reserve();
        admit(std::move(socket));
        continue;
      }
      const int error = errno;
      // Linux looks for a free descriptor before it looks at the queue: EMFILE may mean "nobody there".
      if (error == EAGAIN || (out_of_descriptors(error) && !somebody_waits())) return;
      reject("accept");
      if (concerns_one_connection(error)) continue;
      if (out_of_descriptors(error) && make_room()) continue;
      // The listener stays readable: without a pause the loop would spin on it.
      accept_watch.set_events(0);
      resume_accept.arm_after(kAcceptPause);
      return;
    }
  }

  [[nodiscard]] bool somebody_waits() const {
    pollfd queue{listener.get(), POLLIN, 0};
    return ::poll(&queue, 1, 0) > 0;
  }

  /// Frees one descriptor. True if accept4() is worth another try.
  bool make_room() {
    if (!connections.empty()) {
      evict_oldest();
      return true;
    }
    reserve.reset();
    UniqueFd dropped(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const bool got_rid_of_one = static_cast<bool>(dropped);
    dropped.reset();  // its number is the one that the reserve takes again
    refill_reserve();
    return got_rid_of_one;
  }

  void refill_reserve() {
    if (!reserve) reserve.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }

  void admit(UniqueFd socket) {
    const auto uid = is_unix ? uid_of_peer(socket.get()) : std::nullopt;
    if (allowed_uid && uid != allowed_uid && uid != uid_t{0}) return reject("forbidden");
    if (connections.size() >= limits.connections) evict_oldest();
    const Id id = next_id++;
    connections.emplace(id, std::make_unique<HttpConnection>(loop, priority, std::move(socket), limits, uid,
                                                             [this, id] { changed(id); }));
    arm_deadlines();
  }

  void evict_oldest() {
    if (connections.empty()) return;
    reject("limit");
    connections.erase(connections.begin());
  }

  void changed(Id id) {
    const auto found = connections.find(id);
    if (found == connections.end()) return;
    if (found->second->state() == HttpConnection::State::kFinished) {
      connections.erase(found);
      return;
    }
    answer(*found->second);
  }

  void answer(HttpConnection& connection) {
    const RequestReader& reader = connection.reader();
    if (reader.state() == RequestReader::State::kRefused) {
      const int status = reader.error_status();
      reject(status == 413 || status == 414 || status == 431 ? "too_large" : "malformed");
      return send(connection, kOtherHttpHandler, bodiless_response(status));
    }
    if (!host_allowed(reader.head())) {
      reject("forbidden");
      return send(connection, kOtherHttpHandler, bodiless_response(421));
    }
    ask(connection);
  }

  /// A browser always names the host it believes to talk to, so a page that rebound its DNS name to us is
  /// caught here. HTTP/1.0 health checkers send none and are no browsers.
  [[nodiscard]] bool host_allowed(const HttpHead& head) const {
    if (allowed_hosts.empty()) return true;
    const std::string host = head.field("host");
    if (host.empty()) return head.http_1_0;
    return std::find(allowed_hosts.begin(), allowed_hosts.end(), host_name(host)) != allowed_hosts.end();
  }

  void ask(HttpConnection& connection) {
    const RequestReader& reader = connection.reader();
    HttpResponse response = routes.respond(reader.head(), reader.body(), connection.peer_uid());
    if (response.error) {
      loop.report(reader.head().method + " " + std::string(reader.head().path()), response.error);
    }
    if (response.park) {
      connection.park(std::move(response));
      arm_deadlines();
    } else {
      send(connection, handler_label(reader.head().path()), response);
    }
  }

  /// The connection may be gone afterwards.
  void send(HttpConnection& connection, std::string_view handler, const HttpResponse& response) {
    ++stats.requests[{std::string(handler), response.status}];
    connection.respond(response);
    arm_deadlines();
  }

  void ask_parked() {
    std::vector<Id> parked;
    for (const auto& [id, connection] : connections) {
      if (connection->state() == HttpConnection::State::kParked) parked.push_back(id);
    }
    for (const Id id : parked) {
      if (const auto found = connections.find(id); found != connections.end()) ask(*found->second);
    }
  }

  void cut_late() {
    const TimePoint now = loop.now();
    std::vector<Id> late;
    for (const auto& [id, connection] : connections) {
      if (connection->deadline() <= now) late.push_back(id);
    }
    for (const Id id : late) cut(id);
    arm_deadlines();
  }

  void cut(Id id) {
    const auto found = connections.find(id);
    if (found == connections.end()) return;
    HttpConnection& connection = *found->second;
    if (connection.state() == HttpConnection::State::kParked) {
      const std::string_view handler = handler_label(connection.reader().head().path());
      return send(connection, handler, connection.fallback());
    }
    // A lingering client has its answer; only its silence is over.
    if (connection.state() != HttpConnection::State::kLingering) reject("deadline");
    connections.erase(found);
  }

  /// One timer for all connections, at the earliest deadline.
  void arm_deadlines() {
    TimePoint earliest = TimePoint::max();
    for (const auto& [id, connection] : connections) earliest = std::min(earliest, connection->deadline());
    if (earliest == TimePoint::max()) {
      deadlines.disarm();
    } else if (!deadlines.armed() || earliest != armed_for) {
      armed_for = earliest;
      deadlines.arm_at(earliest);
    }
  }

  void count_in_flight() {
    stats.in_flight =
        static_cast<std::size_t>(std::count_if(connections.begin(), connections.end(), [](const auto& entry) {
          const auto state = entry.second->state();
          return state == HttpConnection::State::kReceived || state == HttpConnection::State::kParked ||
                 state == HttpConnection::State::kWriting;
        }));
  }
};

HttpFront::HttpFront(EventLoop& loop, UniqueFd listener, const HttpRoutes& routes, HttpLimits limits,
                     std::vector<std::string> allowed_hosts, std::optional<uid_t> allowed_uid)
    : impl_(std::make_unique<Impl>(loop, std::move(listener), routes, limits, std::move(allowed_hosts),
                                   allowed_uid)) {}

HttpFront::~HttpFront() = default;

void HttpFront::wake_parked() {
  impl_->wake.arm_after(Duration{0});
}

const HttpStats& HttpFront::stats() const {
  impl_->count_in_flight();
  return impl_->stats;
}

}  // namespace codex
