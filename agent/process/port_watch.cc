#include "agent/process/port_watch.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "agent/sockets/tcp_sockets.h"
#include "agent/text/process_text.h"
#include "probes/process/process_directory.h"

namespace codex {

namespace {

/// To ask all processes of the tree where they are costs 0.4 ms, and a start asks for its port every 5 ms.
constexpr Duration kElsewherePeriod = std::chrono::milliseconds(100);

}  // namespace

PortWatch::PortWatch(std::uint16_t port, SockDiag& sock_diag, ProcessTree& tree, const Redactor& redactor)
    : port_(port), sock_diag_(sock_diag), tree_(tree), redactor_(redactor) {
  seen_.port.number = port;
}

std::vector<pid_t> PortWatch::member_pids() const {
  std::vector<pid_t> pids;
  for (const auto& member : tree_.members()) pids.push_back(member.pid);
  return pids;
}

const PortWatch::Holder& PortWatch::find(const Listener& listener) {
  if (cache_.inode == listener.inode && cache_.process &&
      identify_process(cache_.process->pid) == cache_.process) {
    return cache_;
  }
  cache_ = Holder{};
  cache_.inode = listener.inode;
  auto owner = socket_owner(listener.inode, member_pids());
  cache_.ours = owner.has_value();
  if (!owner) owner = socket_owner_on_host(listener.inode);
  if (!owner) return cache_;
  cache_.process = identify_process(*owner);
  if (const auto stat = read_proc_stat(*owner)) cache_.command = redactor_.safe(stat->comm, 64);
  return cache_;
}

ListenerHolder PortWatch::holder_of(const Listener& listener) {
  const auto& holder = find(listener);
  if (!holder.process) return {false, "a process of uid " + std::to_string(listener.uid)};
  return {holder.ours, "pid " + std::to_string(holder.process->pid) + " (" + holder.command + ")"};
}

PortWatch::Sighting PortWatch::look_in(SockDiag& sock_diag) {
  const auto listeners = sock_diag.listeners(port_);
  Sighting seen;
  auto& port = seen.port;
  port.number = port_;
  port.listening = !listeners.empty();
  for (const auto& listener : listeners) {
    const auto& holder = find(listener);
    port.accept_queue = port.accept_queue.value_or(0) + listener.accept_queue;
    if (port.ours) continue;
    port.ours = holder.ours;
    port.owner_pid = holder.process ? std::optional<int>(holder.process->pid) : std::nullopt;
    port.owner_command = holder.command;
    if (!holder.ours) continue;
    seen.server = holder.process;
    seen.address = listener.address;
  }
  return seen;
}

void PortWatch::look_elsewhere(Sighting& seen) {
  auto networks = NetworkNamespace::others(member_pids());
  networks.emplace_back();
  const auto& here = sock_diag_.network();
  const bool nobody_here = std::find(networks.begin(), networks.end(), here) == networks.end();
  for (const auto& network : networks) {
    if (network == here || !network.may_enter()) continue;  // describe_absence() tells
    SockDiag there(network);
    auto seen_there = look_in(there);
    if (!seen_there.port.ours && !(network.is_own() && nobody_here)) continue;
    seen = std::move(seen_there);
    sock_diag_ = std::move(there);
    return;
  }
}

const PortSnapshot& PortWatch::look() {
  auto seen = look_in(sock_diag_);
  const bool away = !sock_diag_.network().is_own();  // Nobody may be left there: then it is let go at once.
  if (!seen.port.ours && (away || Clock::now() - looked_elsewhere_at_ >= kElsewherePeriod)) {
    looked_elsewhere_at_ = Clock::now();
    look_elsewhere(seen);
  }
  seen_ = std::move(seen);
  return seen_.port;
}

std::optional<std::string> PortWatch::describe_stranger() {
  const auto& port = look();
  if (!port.listening || port.ours) return std::nullopt;
  const std::string number = std::to_string(port_);
  std::string who = "a process that may not be looked at from here";
  if (port.owner_pid) {
    if (const auto process = describe_process(*port.owner_pid)) who = process_text(*process, redactor_);
  }
  return "Port " + number + " is held by " + who +
         ", not started by codex-agent; it was left alone. Stop it, or set PORT.";
}

std::string PortWatch::describe_absence() const {
  const std::string port = "port " + std::to_string(port_);
  if (seen_.port.listening) return port + " is held by another process";
  std::string text = "nothing listens on " + port;
  std::set<std::uint16_t> instead;
  bool hidden = false;
  try {
    const auto inodes = socket_inodes_of(tree_.members());
    const auto ours = [&inodes](std::uint64_t inode) { return inodes.contains(inode); };
    auto networks = NetworkNamespace::others(member_pids());
    networks.emplace_back();
    for (const auto& network : networks) {
      if (network.may_enter()) {
        instead.merge(TcpSockets(network).listening_ports(ours));
      } else {
        hidden = true;
      }
    }
  } catch (const std::system_error&) {
    return text;  // So much is known.
  }
  std::string separator = "; the backend listens on port ";
  for (const auto other : instead) text += std::exchange(separator, ", ") + std::to_string(other);
  if (!instead.empty()) return text + " instead";
  if (hidden) {
    text +=
        "; some of its processes are in another network namespace, into which only an agent with "
        "CAP_SYS_ADMIN can look: run it as root, or start the backend without that namespace";
  }
  return text;
}

}  // namespace codex
