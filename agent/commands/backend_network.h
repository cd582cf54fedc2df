#pragma once

#include "agent/config/config.h"
#include "agent/os/sock_diag.h"

namespace codex {

/// Asks about a backend's port where the backend is: in our own network namespace, or, if nothing listens on
/// the port there, in another one that processes of the backend have entered. Those are told by their token,
/// so no agent need run. Throws std::system_error when the kernel cannot be asked.
SockDiag sock_diag_for(const Config& config, const BackendConfig& backend);

}  // namespace codex
