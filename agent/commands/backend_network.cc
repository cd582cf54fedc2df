#include "agent/commands/backend_network.h"

#include <vector>

#include "agent/os/process_table.h"
#include "agent/record/state_file.h"

namespace codex {

TreeIdentity tree_identity_of(const Config& config, const BackendConfig& backend) {
  TreeIdentity tree = TreeIdentities(config.state_directory).of(backend.name);
  const auto saved = read_saved_backend(config.state_directory, backend.name);
  tree.guessable = saved && saved->guessable;
  return tree;
}

SockDiag sock_diag_for(const Config& config, const BackendConfig& backend) {
  if (!backend.port) return SockDiag();
  std::vector<pid_t> pids;
  for (const auto& process : find_tree(tree_identity_of(config, backend))) pids.push_back(process.pid);
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
