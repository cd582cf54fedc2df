#include "agent/commands/backend_network.h"

#include <vector>

#include "agent/os/process_table.h"
#include "agent/supervision/agent_id.h"
#include "agent/supervision/process_tree.h"

namespace codex {

SockDiag sock_diag_for(const Config& config, const BackendConfig& backend) {
  if (!backend.port) return SockDiag();
  std::vector<pid_t> pids;
  const auto prefix = token_prefix(agent_id(config.state_directory), backend.name);
  for (const auto& process : find_processes_by_environment(kTokenVariable, prefix))
    pids.push_back(process.pid);
  for (const auto& network : NetworkNamespace::others(pids)) {
    if (!network.may_enter()) continue;
    SockDiag there(network);
    for (const auto& listener : there.listeners(*backend.port)) {
      if (socket_owner(listener.inode, pids)) return there;
    }
  }
  return SockDiag();
}

}  // namespace codex
