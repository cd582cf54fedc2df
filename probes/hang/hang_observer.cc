#include "probes/hang/hang_observer.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "agent/os/kernel_clock.h"

namespace codex {

namespace {

/// A group that has just changed changes again: a master starts its workers, or replaces one.
constexpr Duration kGroupPeriod = std::chrono::seconds(10), kGroupInDoubt = std::chrono::seconds(1);
constexpr Duration kGroupSettles = std::chrono::seconds(10);
constexpr Duration kGroupIsNew = std::chrono::seconds(2), kGroupNewPeriod = std::chrono::milliseconds(90);
constexpr std::size_t kMostWorkers = 256;

/// Where to knock at a listener that is bound to `address`.
SocketAddress reachable(const std::string& address, std::uint16_t port) {
  const bool any = address == "0.0.0.0" || address == "::";
  const auto parsed = SocketAddress::parse(any ? "127.0.0.1" : address, port);
  return parsed.value_or(*SocketAddress::parse("127.0.0.1", port));
}

}  // namespace

HangObserver::HangObserver(const ProcessId& server, const std::string& address, std::uint16_t port,
                           std::set<std::uint16_t> database_ports,
                           std::function<std::vector<ProcStat>()> members, NetworkNamespace network)
    : sockets_(std::move(network)),
      server_(reachable(address, port)),
      listener_ipv6_(address.find(':') != std::string::npos),
      port_(port),
      accept_probe_(sockets_),
      waits_(port, std::move(database_ports)),
      agent_(ProcessDirectory::of(::getpid())),
      group_(port, std::move(members)) {
  workers_.push_back(std::make_unique<ProcessObserver>(server, port));
  // "::" serves IPv4 as well, unless it was told not to.
  if (address == "::" && !sockets_.accept_queue(server_)) server_ = *SocketAddress::parse("::1", port);
}

/// Whoever serves already stays watched as it is; what was learned of it is its own.
void HangObserver::follow_group(TimePoint now) {
  const auto before = group_.workers();
  looked_for_group_ = now;
  group_.look(sockets_, waits_.accepted());
  if (group_.workers() != before) group_changed_ = now;
  auto serving = group_.workers();
  if (serving.empty()) return;  // In the midst of a change: those who are watched tell.
  if (serving.size() > kMostWorkers) serving.resize(kMostWorkers);
  std::vector<std::unique_ptr<ProcessObserver>> workers;
  for (const auto& id : serving) {
    const auto known = std::find_if(workers_.begin(), workers_.end(),
                                    [&id](const auto& worker) { return worker && worker->id() == id; });
    workers.push_back(known != workers_.end() ? std::move(*known)
                                              : std::make_unique<ProcessObserver>(id, port_));
  }
  workers_ = std::move(workers);
}

Duration HangObserver::group_period(const HangDepth& depth, TimePoint now) const {
  const Duration stable = now - group_changed_;
  if (stable < kGroupIsNew) return kGroupNewPeriod;
  return depth.group || stable < kGroupSettles ? kGroupInDoubt : kGroupPeriod;
}

HangObservation HangObserver::look(const HangDepth& depth, TimePoint now) {
  HangObservation seen;
  seen.at = now;
  const auto watched = workers_.size();
  seen.observable = look_at_workers(depth, seen);
  if (!seen.observable) return seen;
  if (const auto queue = sockets_.accept_queue(server_)) seen.accept_queue = queue->waiting;
  seen.listening = seen.accept_queue.has_value();
  if (depth.accept && seen.listening) accept_probe_.begin(server_, now);
  seen.accept_probe = accept_probe_.look(now);
  if (depth.requests) look_at_requests(depth, seen);
  const bool lost_one = watched > workers_.size();
  if (lost_one || !looked_for_group_ || now - *looked_for_group_ >= group_period(depth, now))
    follow_group(now);
  for (const auto& worker : workers_) seen.serving.push_back(worker->id());
  if (seen.requests) share_out(seen);
  return seen;
}

bool HangObserver::look_at_workers(const HangDepth& depth, HangObservation& seen) {
  std::erase_if(workers_, [&](auto& worker) {
    WorkerView view;
    view.id = worker->id();
    if (!worker->look(view.main)) return true;
    if (depth.process || depth.threads || depth.debugger)
      view.process = worker->look_closely(depth, sockets_, seen.at);
    seen.workers.push_back(std::move(view));
    return false;
  });
  if (seen.workers.empty()) return false;
  seen.main = seen.workers.front().main;
  seen.process = seen.workers.front().process;
  return true;
}

void HangObserver::look_at_requests(const HangDepth& depth, HangObservation& seen) {
  const auto began = read_kernel_clock(CLOCK_THREAD_CPUTIME_ID);
  std::set<std::uint64_t> own;
  if (depth.outgoing) {
    for (const auto& worker : workers_) own.merge(worker->socket_inodes());
  }
  const auto owned = [&own](std::uint64_t inode) { return own.contains(inode); };
  waits_.begin_look(seen.at, depth.outgoing ? sockets_.listening_ports(owned) : std::set<std::uint16_t>{},
                    agent_.socket_inodes());
  const auto visit = [&](const TcpSocket& socket) { waits_.see(socket, own); };
  sockets_.walk(listener_ipv6_, TcpSockets::Which::kConnections, visit);
  if (depth.outgoing) sockets_.walk(!listener_ipv6_, TcpSockets::Which::kConnections, visit);
  seen.requests = waits_.finish_look(depth.outgoing);
  seen.requests->cost = read_kernel_clock(CLOCK_THREAD_CPUTIME_ID) - began;
}

/// Each worker's own connections.
void HangObserver::share_out(HangObservation& seen) const {
  for (auto& worker : seen.workers) worker.requests.emplace();
  for (const auto& served : waits_.served()) {
    const auto owner = group_.owner_of(served.inode);
    for (auto& worker : seen.workers) {
      if (owner == worker.id) served.add_to(*worker.requests);
    }
  }
}

}  // namespace codex
