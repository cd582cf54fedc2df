#include "probes/port/port_probe.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "agent/text/host_port.h"
#include "agent/text/quantity.h"

namespace codex {

namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

AddressList numeric_address(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (code != 0) throw std::runtime_error(address + ": " + ::gai_strerror(code));
  return {list, ::freeaddrinfo};
}

/// Closing then sends RST instead of FIN (tcp(7), socket(7) SO_LINGER).
void close_with_reset(UniqueFd& socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket.reset();
}

}  // namespace

bool is_self_connected(int socket) {
  sockaddr_storage own{}, peer{};
  socklen_t own_size = sizeof own, peer_size = sizeof peer;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) return false;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return false;
  return own_size == peer_size && std::memcmp(&own, &peer, own_size) == 0;
}

PortProbe::PortProbe(const ProbeSpec& spec, const ProbeContext& context)
    : spec_(spec),
      context_(context),
      attempt_(context.loop, "port probe", {[this] { ask(); }, [this] { expire(); }, [this] { release(); }}) {
}

void PortProbe::ask() {
  listener_.clear();
  address_.clear();
  addresses_.clear();
  if (spec_.own_listener) {
    ask_own_listener();
  } else {
    resolve();
  }
}

void PortProbe::ask_own_listener() {
  auto own = find_own_listener(spec_.port, context_);
  if (!own.refusal.empty()) return end(Outcome::kFailure, Reason::kRefused, own.refusal);
  listener_ = std::move(own.holder);
  addresses_.assign(own.addresses.rbegin(), own.addresses.rend());
  network_ = std::move(own.network);
  attempt_.enter(Phase::kConnect);
  connect_next();
}

void PortProbe::resolve() {
  attempt_.enter(Phase::kResolve);
  const auto use = [this](std::vector<std::string> found) {
    addresses_.assign(found.rbegin(), found.rend());
    attempt_.enter(Phase::kConnect);
    connect_next();
  };
  if (auto known = resolve_without_network(spec_.host)) return use(std::move(*known));
  const bool sent = lookup_.send(
      context_.loop, context_.resolver, [host = spec_.host] { return resolve_host(host); },
      attempt_.guard([this, use](std::future<Resolution> future) {
        auto found = future.get();
        if (found.finding) return end(found.finding->outcome, found.finding->reason, found.finding->text);
        use(std::move(found.addresses));
      }));
  if (!sent) attempt_.give_up("the agent's resolver is busy");
}

void PortProbe::connect_next() {
  address_ = std::move(addresses_.back());
  addresses_.pop_back();
  const auto target = numeric_address(address_, spec_.port);
  socket_ = network_.socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (!socket_) return end(Outcome::kUnknown, Reason::kInternal, judge_errno(errno).text);
  if (::connect(socket_.get(), target->ai_addr, target->ai_addrlen) == 0) return connected();
  if (errno != EINPROGRESS) return failed(errno);
  watch_ =
      FdWatch(context_.loop, "port probe", socket_.get(), EPOLLOUT, attempt_.guard([this](std::uint32_t) {
        watch_.reset();
        int error = 0;
        socklen_t size = sizeof error;
        if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
        if (error != 0) return failed(error);
        connected();
      }));
}

void PortProbe::connected() {
  const bool self = is_self_connected(socket_.get());
  // A reset would show up as an error in the log of some servers (Python's, say); but to leave a connection
  // with itself in TIME_WAIT would keep the backend from its own port.
  if (self) close_with_reset(socket_);
  socket_.reset();
  if (self) {
    return end(Outcome::kFailure, Reason::kRefused, "nothing listens: the connection reached only itself");
  }
  end(Outcome::kSuccess, Reason::kNone, listener_.empty() ? "accepts connections" : listener_);
}

void PortProbe::failed(int error) {
  socket_.reset();
  if (!addresses_.empty()) return connect_next();
  auto finding = judge_errno(error);
  if (error == ENETUNREACH && !network_.is_own()) finding.text += " (is its loopback up? ip link set lo up)";
  end(finding.outcome, finding.reason, listener_.empty() ? finding.text : finding.text + ": " + listener_);
}

void PortProbe::expire() {
  const std::string within = " within " + in_words(attempt_.allowed());
  if (address_.empty()) {
    if (lookup_.starved()) return attempt_.give_up("the agent's resolver is busy");
    return end(Outcome::kFailure, Reason::kTimeout, "name not resolved" + within);
  }
  end(Outcome::kFailure, Reason::kTimeout,
      "no connection" + within + (listener_.empty() ? "" : ": " + listener_));
}

void PortProbe::release() {
  watch_.reset();
  socket_.reset();
  network_ = {};  // kept, it would keep the namespace of a stopped backend, and all devices in it
}

void PortProbe::end(Outcome outcome, Reason reason, const std::string& what) {
  const std::string where = spec_.own_listener
                                ? (address_.empty() ? "" : join_host_port(address_, spec_.port) + ": ")
                                : join_host_port(spec_.host, spec_.port) + ": ";
  attempt_.finish(outcome, reason, context_.redactor.safe(where + what));
}

}  // namespace codex
