#include "probes/hang/startup_waits.h"

#include <fcntl.h>
#include <netinet/tcp.h>

#include <algorithm>

#include "agent/text/display_text.h"
#include "probes/process/process_directory.h"
#include "probes/process/syscall_names.h"
#include "probes/process/thread_files.h"

namespace codex {

namespace {

/// The youngest process is the one that the start has got to.
std::string look_at_youngest(const std::vector<ProcStat>& members) {
  // Children come after their parents, and may have been born in the same tick.
  const auto youngest =
      std::max_element(members.rbegin(), members.rend(),
                       [](const ProcStat& a, const ProcStat& b) { return a.start_ticks < b.start_ticks; });
  if (youngest == members.rend()) return "";
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const ProcessDirectory process(proc.get(), youngest->pid);
  ThreadView main;
  if (!process || !ThreadFiles(process, youngest->pid).look(main)) return "";
  // An event loop says nothing; a thread that runs waits for nobody.
  if (main.waits_in == WaitKind::kEpoll || main.state == 'R') return "";
  return escape_for_display(youngest->comm, 32) + ", which is in " + describe_wait(main);
}

/// Those of our network namespace and of each that `members` are in and we may enter.
std::vector<TcpSockets> tables_of(const std::vector<ProcStat>& members) {
  std::vector<pid_t> pids;
  for (const auto& member : members) pids.push_back(member.pid);
  std::vector<TcpSockets> tables(1);
  for (const auto& network : NetworkNamespace::others(pids)) {
    if (network.may_enter()) tables.emplace_back(network);
  }
  return tables;
}

}  // namespace

std::string StartupWaits::look_at_connections(const std::vector<ProcStat>& members, TimePoint now) {
  const auto inodes = socket_inodes_of(members);
  const auto owned = [&inodes](std::uint64_t inode) { return inodes.contains(inode); };
  auto tables = tables_of(members);
  std::set<std::uint16_t> served;
  for (auto& table : tables) served.merge(table.listening_ports(owned));
  waits_.begin_look(now, served);
  silent_.clear();
  const auto visit = [&](const TcpSocket& socket) {
    waits_.see(socket, inodes);
    const bool silent = socket.state == TCP_ESTABLISHED && socket.bytes_sent == 0 &&
                        socket.bytes_received == 0 && !served.contains(socket.local.port);
    if (silent && owned(socket.inode)) silent_ = socket.remote.text();
  };
  for (auto& table : tables) {
    for (const bool ipv6 : {false, true}) table.walk(ipv6, TcpSockets::Which::kConnections, visit);
  }
  const auto view = waits_.finish_look(true);
  if (view.database.waiting > 0) return "the database at " + view.database_address;
  return view.upstream.waiting > 0 ? view.upstream_address : "";
}

std::string StartupWaits::look(const std::vector<ProcStat>& members, TimePoint now) {
  std::string what = look_at_connections(members, now);
  if (what.empty()) what = look_at_youngest(members);
  return what.empty() ? silent_ : what;
}

}  // namespace codex
