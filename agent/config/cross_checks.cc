#include "agent/config/cross_checks.h"

#include <fstream>
#include <map>

#include "agent/config/addresses.h"
#include "agent/text/host_port.h"

namespace codex {

namespace {

using Claims = std::map<std::string, std::string>;  // what -> who

// The file and place of a backend's port; with an overriding PORT or zero configuration it is nowhere in the
// file.
void error_at(const Place& place, const std::string& file, const std::string& message,
              Diagnostics& diagnostics) {
  diagnostics.error(place.line == 0 ? "" : file, place, message);
}

void check_ports(const AgentConfig& agent, Place listen_place, const std::vector<LoadedBackend>& backends,
                 const std::string& file, Diagnostics& diagnostics) {
  const auto [lowest, highest] = ephemeral_ports();
  std::map<std::uint16_t, std::string> owners;
  for (const LoadedBackend& backend : backends) {
    if (!backend.config.port) continue;
    const std::uint16_t port = *backend.config.port;
    const std::string number = std::to_string(port);
    const auto [owner, is_first] = owners.emplace(port, backend.config.name);
    if (!is_first) {
      error_at(backend.port_place, file,
               "port " + number + " of backend \"" + backend.config.name + "\" is taken by \"" +
                   owner->second + "\" too; set another port, or port = \"none\" if it does not listen",
               diagnostics);
    }
    if (port == agent.listen_port) {
      const bool listen_is_default = listen_place.line == 0;
      error_at(listen_is_default ? backend.port_place : listen_place, file,
               "port " + number + " of backend \"" + backend.config.name +
                   "\" is the agent's own (listen in [agent]); change one of them",
               diagnostics);
    }
    if (port >= lowest && port <= highest) {
      diagnostics.warn("backend " + backend.config.name + ": port " + number + " lies in the range " +
                       std::to_string(lowest) + "-" + std::to_string(highest) +
                       " that the kernel gives to clients; some client may hold it when the backend starts");
    }
  }
}

void check_files(const AgentConfig& agent, const std::vector<LoadedBackend>& backends,
                 const std::string& file, Diagnostics& diagnostics) {
  Claims claims = {{agent.log_file.string(), "the agent's log"}};
  for (const LoadedBackend& backend : backends) {
    const auto claim = [&](const std::filesystem::path& path, const std::string& what) {
      const std::string who = what + " of backend \"" + backend.config.name + "\"";
      const auto [holder, is_first] = claims.emplace(path.string(), who);
      if (is_first) return;
      error_at(
          backend.place, file,
          who + " and " + holder->second + " are the same file, " + escape_for_display(path.string(), 256),
          diagnostics);
    };
    claim(backend.config.output_file, "output_file");
    claim(backend.config.pid_file, "pid_file");
  }
}

}  // namespace

void check_together(const AgentConfig& agent, Place listen_place, const std::vector<LoadedBackend>& backends,
                    const std::string& config_file, Diagnostics& diagnostics) {
  check_ports(agent, listen_place, backends, config_file, diagnostics);
  check_files(agent, backends, config_file, diagnostics);
  if (!is_loopback(agent.listen_host)) {
    diagnostics.warn("listen " + join_host_port(agent.listen_host, agent.listen_port) +
                     " is not a loopback address: metrics and status become public to that network");
  }
}

std::pair<int, int> ephemeral_ports() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  int lowest = 0, highest = 0;
  return file >> lowest >> highest ? std::pair(lowest, highest) : std::pair(0, 0);
}

}  // namespace codex
