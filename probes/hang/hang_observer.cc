#include "probes/hang/hang_observer.h"

#include <unistd.h>

#include <ctime>
#include <utility>

#include "agent/os/kernel_clock.h"
#include "agent/os/process_table.h"

namespace codex {

namespace {

constexpr std::uint16_t kInspectorPort = 9229;  // Node's default, and the next ones for further processes
constexpr std::uint16_t kInspectorPorts = 20;
constexpr Duration kDebuggerPeriod = std::chrono::milliseconds(500);

/// Where to knock at a listener that is bound to `address`.
SocketAddress reachable(const std::string& address, std::uint16_t port) {
  const bool any = address == "0.0.0.0" || address == "::";
  const auto parsed = SocketAddress::parse(any ? "127.0.0.1" : address, port);
  return parsed.value_or(*SocketAddress::parse("127.0.0.1", port));
}

}  // namespace

HangObserver::HangObserver(const ProcessId& server, const std::string& address, std::uint16_t port,
                           std::set<std::uint16_t> database_ports, NetworkNamespace network)
    : process_(ProcessDirectory::of(server.pid)),
      main_(process_, server.pid),
      sockets_(std::move(network)),
      server_(reachable(address, port)),
      listener_ipv6_(address.find(':') != std::string::npos),
      accept_probe_(sockets_),
      facts_(server.pid),
      waits_(port, std::move(database_ports)),
      agent_(ProcessDirectory::of(::getpid())) {
  // The pid may have got a new owner before its files were open.
  gone_ = identify_process(server.pid) != server;
  // "::" serves IPv4 as well, unless it was told not to.
  if (address == "::" && !sockets_.accept_queue(server_)) server_ = *SocketAddress::parse("::1", port);
}

HangObservation HangObserver::look(const HangDepth& depth, TimePoint now) {
  HangObservation seen;
  seen.at = now;
  seen.observable = !gone_ && main_.look(seen.main);
  if (!seen.observable) return seen;
  if (const auto queue = sockets_.accept_queue(server_)) seen.accept_queue = queue->waiting;
  seen.listening = seen.accept_queue.has_value();
  if (depth.accept && seen.listening) accept_probe_.begin(server_, now);
  seen.accept_probe = accept_probe_.look(now);
  if (depth.process || depth.threads || depth.debugger) look_at_process(depth, seen);
  if (depth.requests) look_at_requests(depth, seen);
  return seen;
}

void HangObserver::look_at_process(const HangDepth& depth, HangObservation& seen) {
  ProcessView view;
  facts_.look(process_, view);
  if (depth.threads) facts_.look_at_threads(process_, seen.at, view);
  if (depth.debugger) view.debugger_connected = debugger_connected(seen.at);
  seen.process = view;
}

bool HangObserver::debugger_connected(TimePoint now) {
  if (looked_for_debugger_ && now - *looked_for_debugger_ < kDebuggerPeriod) return debugger_connected_;
  looked_for_debugger_ = now;
  const auto own = process_.socket_inodes();
  std::set<std::uint16_t> inspectors;
  for (std::uint16_t i = 0; i < kInspectorPorts; ++i)
    inspectors.insert(static_cast<std::uint16_t>(kInspectorPort + i));
  if (facts_.settings().inspector) {
    // It may listen anywhere; whatever else the process listens on is taken for it.
    inspectors.merge(sockets_.listening_ports([&own](std::uint64_t inode) { return own.contains(inode); }));
  }
  inspectors.erase(server_.port);
  debugger_connected_ = false;
  sockets_.walk(false, TcpSockets::Which::kConnections, [&](const TcpSocket& socket) {
    if (inspectors.contains(socket.local.port) && own.contains(socket.inode)) debugger_connected_ = true;
  });
  return debugger_connected_;
}

void HangObserver::look_at_requests(const HangDepth& depth, HangObservation& seen) {
  const auto began = read_kernel_clock(CLOCK_THREAD_CPUTIME_ID);
  const auto own = depth.outgoing ? process_.socket_inodes() : std::set<std::uint64_t>{};
  const auto owned = [&own](std::uint64_t inode) { return own.contains(inode); };
  auto agents = depth.own_requests ? agent_.socket_inodes() : std::set<std::uint64_t>{};
  waits_.begin_look(seen.at, depth.outgoing ? sockets_.listening_ports(owned) : std::set<std::uint16_t>{},
                    std::move(agents));
  const auto visit = [&](const TcpSocket& socket) { waits_.see(socket, own); };
  sockets_.walk(listener_ipv6_, TcpSockets::Which::kConnections, visit);
  if (depth.outgoing) sockets_.walk(!listener_ipv6_, TcpSockets::Which::kConnections, visit);
  seen.requests = waits_.finish_look(depth.outgoing);
  seen.requests->cost = read_kernel_clock(CLOCK_THREAD_CPUTIME_ID) - began;
}

}  // namespace codex
