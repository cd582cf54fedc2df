#include "probes/port/own_listener.h"

#include <algorithm>
#include <stdexcept>

#include "agent/text/host_port.h"

namespace codex {

std::vector<std::string> reachable_addresses(const std::string& address) {
  if (address == "0.0.0.0") return {"127.0.0.1"};
  // A host without IPv6 on its loopback still lets a backend bind to ::, and then serves IPv4 through it.
  if (address == "::") return {"::1", "127.0.0.1"};
  return {address};
}

OwnListener find_own_listener(std::uint16_t port, const ProbeContext& context) {
  OwnListener result;
  const auto listeners = context.sock_diag.listeners(port);
  if (listeners.empty()) {
    result.refusal = "nothing listens on port " + std::to_string(port);
    return result;
  }
  if (!context.holder_of) throw std::logic_error("nobody knows which processes are the backend's");

  const Listener* ours = nullptr;
  std::string stranger;
  std::vector<const Listener*> strangers;
  for (const auto& listener : listeners) {
    const auto holder = context.holder_of(listener);
    if (!holder.ours) {
      strangers.push_back(&listener);
      stranger = holder.description;
    } else if (ours == nullptr) {
      ours = &listener;
      result.holder = holder.description;
    }
  }
  const std::string stranger_holds =
      "port " + std::to_string(port) + " is held by " + stranger + ", not by the backend";
  if (ours == nullptr) {
    result.refusal = stranger_holds;
    return result;
  }
  result.addresses = reachable_addresses(ours->address);
  result.network = context.sock_diag.network();
  // The kernel prefers the listener with the more exact address: a stranger there would answer for us.
  const bool hidden = std::any_of(strangers.begin(), strangers.end(), [&](const Listener* listener) {
    return listener->address == result.addresses.front() && listener->address != ours->address;
  });
  if (hidden) result.refusal = stranger_holds + " (" + join_host_port(result.addresses.front(), port) + ")";
  if (!result.network.is_own()) result.holder += ", in another network namespace";
  result.holder +=
      ", accept queue " + std::to_string(ours->accept_queue) + " of " + std::to_string(ours->backlog);
  return result;
}

}  // namespace codex
