#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace codex {

/// A host with a port as people and URLs write them: "127.0.0.1:5000", "[::1]:5000". A directory of sockets, as
/// PostgreSQL has one for a host, is no IPv6 address, whatever it is called: "/run/pg:1:5432".
std::string join_host_port(std::string_view host, std::string_view port);
std::string join_host_port(std::string_view host, std::uint16_t port);

}  // namespace codex
