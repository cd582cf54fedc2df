#include "agent/text/host_port.h"

namespace codex {

std::string join_host_port(std::string_view host, std::string_view port) {
  const bool ipv6 = !host.starts_with('/') && host.find(':') != std::string_view::npos;
  std::string text(ipv6 ? "[" : "");
  return text.append(host).append(ipv6 ? "]:" : ":").append(port);
}

std::string join_host_port(std::string_view host, std::uint16_t port) {
  return join_host_port(host, std::to_string(port));
}

}  // namespace codex
