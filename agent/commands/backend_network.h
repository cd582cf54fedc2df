#pragma once

#include "agent/config/config.h"
#include "agent/process/tree_identity.h"
#include "agent/sockets/sock_diag.h"

namespace codex {

/// How a backend's processes are told, whether or not an agent runs: from what one has written in the state
/// directory. Finds nothing for who may not read that.
TreeIdentity tree_identity_of(const Config& config, const BackendConfig& backend);

/// Asks about a backend's port where the backend is: in another network namespace, if a process of it listens
/// on the port there, else in our own. Its processes are told by their token, so no agent need run. Costs a
/// look at all processes. Throws std::system_error when the kernel cannot be asked.
SockDiag sock_diag_for(const Config& config, const BackendConfig& backend);

}  // namespace codex
