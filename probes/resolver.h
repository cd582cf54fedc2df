#pragma once

#include <optional>
#include <string>
#include <vector>

#include "probes/finding.h"
#include "probes/probe.h"

namespace codex {

/// The addresses of a host, numeric, in the order to try them; or why there are none.
struct Resolution {
  std::vector<std::string> addresses;
  std::optional<Finding> finding;
};

/// Hosts that need no name service: numeric addresses (brackets allowed), and `localhost`, which is both
/// loopback addresses (RFC 6761 section 6.3). nullopt for any other host.
std::optional<std::vector<std::string>> resolve_without_network(const std::string& host);

/// getaddrinfo(3). May block for tens of seconds: call it from a Worker.
Resolution resolve_host(const std::string& host);

}  // namespace codex
