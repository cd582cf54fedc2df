#include "probes/hang/process_observer.h"

#include "agent/os/process_table.h"

namespace codex {

namespace {

constexpr std::uint16_t kInspectorPort = 9229;  // Node's default, and the next ones for further processes
constexpr std::uint16_t kInspectorPorts = 20;
constexpr Duration kDebuggerPeriod = std::chrono::milliseconds(500);

}  // namespace

ProcessObserver::ProcessObserver(const ProcessId& id, std::uint16_t port)
    : id_(id), port_(port), process_(ProcessDirectory::of(id.pid)), main_(process_, id.pid), facts_(id.pid) {
  // The pid may have got a new owner before its files were open.
  gone_ = identify_process(id.pid) != id;
}

ProcessView ProcessObserver::look_closely(const HangDepth& depth, TcpSockets& sockets, TimePoint now) {
  ProcessView view;
  facts_.look(process_, view);
  if (depth.threads) facts_.look_at_threads(process_, now, view);
  if (depth.debugger) view.debugger_connected = debugger_connected(sockets, now);
  return view;
}

bool ProcessObserver::debugger_connected(TcpSockets& sockets, TimePoint now) {
  if (looked_for_debugger_ && now - *looked_for_debugger_ < kDebuggerPeriod) return debugger_connected_;
  looked_for_debugger_ = now;
  const auto own = process_.socket_inodes();
  std::set<std::uint16_t> inspectors;
  for (std::uint16_t i = 0; i < kInspectorPorts; ++i)
    inspectors.insert(static_cast<std::uint16_t>(kInspectorPort + i));
  if (facts_.settings().inspector) {
    // It may listen anywhere; whatever else the process listens on is taken for it.
    inspectors.merge(sockets.listening_ports([&own](std::uint64_t inode) { return own.contains(inode); }));
  }
  inspectors.erase(port_);
  debugger_connected_ = false;
  sockets.walk(false, TcpSockets::Which::kConnections, [&](const TcpSocket& socket) {
    if (inspectors.contains(socket.local.port) && own.contains(socket.inode)) debugger_connected_ = true;
  });
  return debugger_connected_;
}

}  // namespace codex
