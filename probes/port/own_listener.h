#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/probe_context.h"

namespace codex {

/// The backend's own socket on a port, and where it can be reached from this host.
struct OwnListener {
  std::string refusal;                 ///< "" or why there is none: nothing listens, or a stranger does
  std::vector<std::string> addresses;  ///< numeric, the best first
  NetworkNamespace network;            ///< from which they can be reached
  std::string holder;                  ///< "pid 4251 (node), accept queue 0 of 511"
};

/// Asks the kernel's LISTEN table. A stranger that would answer in the backend's place, because its address
/// is the more exact one, is a refusal too. Throws std::system_error when the kernel cannot be asked, and
/// std::logic_error without `context.holder_of`. Loop thread.
OwnListener find_own_listener(std::uint16_t port, const ProbeContext& context);

/// Numeric addresses at which a listener bound to `address` answers from this host, the best first.
std::vector<std::string> reachable_addresses(const std::string& address);

}  // namespace codex
