#include "probes/hang/serving_group.h"

#include <fcntl.h>

#include <algorithm>

#include "agent/os/files.h"
#include "probes/process/process_directory.h"

namespace codex {

namespace {

std::string command_of(pid_t pid) {
  return read_proc_file(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/cmdline").c_str()).value_or("");
}

/// Of Node's cluster module: such a process serves, also before it was seen to (lib/internal/cluster).
bool is_cluster_worker(pid_t pid) {
  const auto environment = read_proc_file(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/environ").c_str());
  return environment && find_in_environ(*environment, "NODE_UNIQUE_ID");
}

}  // namespace

std::vector<ProcessId> workers_of(const std::vector<PortProcess>& tree) {
  const auto serving_sister = [&tree](const PortProcess& process) {
    return std::any_of(tree.begin(), tree.end(), [&process](const PortProcess& other) {
      return other.serves && other.parent == process.parent && other.command == process.command &&
             !other.command.empty();
    });
  };
  const auto concerned = [&](const PortProcess& process) {
    return process.listens || process.serves || serving_sister(process);
  };
  const auto has_child = [&tree](const PortProcess& parent, auto predicate) {
    return std::any_of(tree.begin(), tree.end(), [&](const PortProcess& process) {
      return process.parent == parent.id.pid && predicate(process);
    });
  };
  const auto serves = [](const PortProcess& process) { return process.serves; };
  const auto is_master = [&](const PortProcess& process) {
    return process.serves ? has_child(process, serves) : has_child(process, concerned);
  };
  const auto idle_heir = [&](const PortProcess& process) {
    return !process.serves && std::any_of(tree.begin(), tree.end(), [&](const PortProcess& parent) {
      return parent.id.pid == process.parent && parent.serves && !is_master(parent);
    });
  };
  std::vector<ProcessId> workers;
  for (const auto& process : tree) {
    if (concerned(process) && !is_master(process) && !idle_heir(process)) workers.push_back(process.id);
  }
  return workers;
}

void ServingGroup::look(TcpSockets& sockets, const std::set<std::uint64_t>& accepted) {
  std::set<std::uint64_t> listening;
  for (const bool ipv6 : {false, true}) {
    sockets.walk(ipv6, TcpSockets::Which::kListeners, [&](const TcpSocket& socket) {
      if (socket.local.port == port_) listening.insert(socket.inode);
    });
  }
  std::vector<PortProcess> tree;
  std::set<ProcessId> serving;
  owners_.clear();
  for (const auto& member : members_()) {
    PortProcess process{
        {member.pid, member.start_ticks}, member.parent, command_of(member.pid), false, false};
    const auto directory = ProcessDirectory::of(member.pid);
    if (!directory) continue;
    for (const auto inode : directory.socket_inodes()) {
      process.listens = process.listens || listening.contains(inode);
      if (!accepted.contains(inode)) continue;
      process.serves = true;
      owners_.emplace(inode, process.id);
    }
    process.serves = process.serves || seen_serving_.contains(process.id) || is_cluster_worker(member.pid);
    if (process.serves) serving.insert(process.id);
    tree.push_back(std::move(process));
  }
  seen_serving_ = std::move(serving);
  workers_ = workers_of(tree);
  std::erase_if(owners_, [this](const auto& owner) {
    return std::find(workers_.begin(), workers_.end(), owner.second) == workers_.end();
  });
}

std::optional<ProcessId> ServingGroup::owner_of(std::uint64_t inode) const {
  const auto found = owners_.find(inode);
  return found == owners_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace codex
