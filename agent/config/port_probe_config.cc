#include "agent/config/addresses.h"
#include "agent/config/probe_kinds.h"
#include "agent/text/host_port.h"

namespace codex {

bool read_port_probe(const ProbeReading& reading, ProbeSpec& spec) {
  TomlTable& table = reading.table;
  spec.own_listener = spec.name == "port";
  if (const auto host = table.text("host")) {
    if (!is_host(*host)) {
      table.error_at("host", shown(*host) + " is not a host name or an IP address (IPv6 without brackets)");
    }
    spec.host = *host;
  }
  const auto port = table.whole("port", 1, 65535);
  if (port) {
    spec.port = static_cast<std::uint16_t>(*port);
  } else if (spec.name == "port" && reading.backend.port) {
    spec.port = *reading.backend.port;
  }
  if (spec.port != 0) {
    spec.target = join_host_port(spec.host, spec.port);
    return true;
  }
  const bool missed = reading.enabled && table.present() && !table.has("port");
  if (missed) table.error_at_key("", "probe \"" + spec.name + "\" needs port = 1-65535");
  return false;
}

}  // namespace codex
