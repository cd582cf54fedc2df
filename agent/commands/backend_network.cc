#include "agent/commands/backend_network.h"

#include <system_error>

#include "agent/os/process_table.h"
#include "agent/supervision/agent_id.h"
#include "agent/supervision/process_tree.h"

namespace codex {

SockDiag sock_diag_for(const Config& config, const BackendConfig& backend) {
  SockDiag sock_diag;
  if (!backend.port || !sock_diag.listeners(*backend.port).empty()) return sock_diag;
  std::vector<pid_t> pids;
  const std::string prefix = agent_id(config.state_directory) + "/" + backend.name + "/";
  for (const auto& process : find_processes_by_environment(kTokenVariable, prefix))
    pids.push_back(process.pid);
  for (const auto& network : NetworkNamespace::others(pids)) {
    try {
      sock_diag.enter(network);
    } catch (const std::system_error&) {  // not for us: as if nobody were there
      continue;
    }
    if (!sock_diag.listeners(*backend.port).empty()) return sock_diag;
  }
  return {};
}

}  // namespace codex
