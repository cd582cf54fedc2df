#include "probes/database/postgres_hosts.h"

#include <utility>

namespace codex {

Resolution resolve_if_needed(const PostgresHost& host) {
  if (host.is_socket_directory() || !host.address.empty()) return {};
  if (auto known = resolve_without_network(host.host)) return {std::move(*known), std::nullopt};
  return resolve_host(host.host);
}

std::vector<PostgresHost> with_addresses(const std::vector<PostgresHost>& hosts,
                                         const std::vector<Resolution>& found) {
  std::vector<PostgresHost> entries;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (found[i].addresses.empty() && !found[i].finding) entries.push_back(hosts[i]);
    for (const auto& address : found[i].addresses) entries.push_back({hosts[i].host, address, hosts[i].port});
  }
  return entries;
}

}  // namespace codex
