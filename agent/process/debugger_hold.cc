#include "agent/process/debugger_hold.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "agent/os/files.h"
#include "agent/os/process_table.h"
#include "agent/sockets/tcp_sockets.h"
#include "probes/process/process_directory.h"
#include "probes/process/thread_files.h"

namespace codex {

namespace {

std::string named(const ProcStat& process) {
  return "pid " + std::to_string(process.pid) + " (" + process.comm + ")";
}

std::string file_of(pid_t pid, const char* name) {
  return read_proc_file(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/" + name).c_str()).value_or("");
}

pid_t tracer_of(pid_t pid) {
  constexpr std::string_view kKey = "TracerPid:\t";
  const std::string status = file_of(pid, "status");
  const auto at = status.find(kKey);
  pid_t tracer = 0;
  if (at != std::string::npos)
    std::from_chars(status.data() + at + kKey.size(), status.data() + status.size(), tracer);
  return tracer;
}

std::string describe_tracer(const ProcStat& traced, const std::vector<ProcStat>& members) {
  const pid_t tracer = tracer_of(traced.pid);
  if (tracer == 0 || tracer == ::getpid()) return "";
  const bool own =
      std::any_of(members.begin(), members.end(), [&](const ProcStat& each) { return each.pid == tracer; });
  if (own && traced.state != 't') return "";
  const auto stat = read_proc_stat(tracer);
  return (stat ? named(*stat) : "a tracer") + " traces " + named(traced);
}

/// Runtimes wait for a debugger in a lock.
bool waits_in_a_lock(pid_t pid) {
  ThreadView main;
  parse_thread_syscall(file_of(pid, "syscall"), main);
  return main.waits_in == WaitKind::kFutex;
}

/// Whether a connection with somebody outside of the tree ends at a port on which `process` listens.
bool is_connected(const ProcStat& process, const std::vector<ProcStat>& members) {
  const auto inodes = socket_inodes_of({process});
  const auto of_tree = socket_inodes_of(members);
  TcpSockets sockets;
  const auto ports = sockets.listening_ports([&](std::uint64_t inode) { return inodes.contains(inode); });
  std::set<std::uint16_t> from_tree, from_elsewhere;
  for (const bool ipv6 : {false, true}) {
    sockets.walk(ipv6, TcpSockets::Which::kConnections, [&](const TcpSocket& socket) {
      if (!of_tree.contains(socket.inode)) return;
      from_tree.insert(socket.local.port);
      if (inodes.contains(socket.inode) && ports.contains(socket.local.port))
        from_elsewhere.insert(socket.remote.port);
    });
  }
  return std::any_of(from_elsewhere.begin(), from_elsewhere.end(),
                     [&](std::uint16_t port) { return !from_tree.contains(port); });
}

}  // namespace

DebuggerOptions parse_debugger_options(std::string_view cmdline, std::string_view environ_text) {
  DebuggerOptions options;
  const auto note = [&](std::string_view text, char separator) {
    while (!text.empty()) {
      const auto end = std::min(text.find(separator), text.size());
      const auto word = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      const bool waits = word.starts_with("--inspect-brk") || word.starts_with("--inspect-wait") ||
                         word == "--wait-for-client";
      options.waits |= waits;
      options.listens |= waits || word.starts_with("--inspect") || word == "debugpy" ||
                         word.ends_with("/debugpy") || word.ends_with("/debugpy/adapter");
    }
  };
  note(cmdline, '\0');
  note(find_in_environ(environ_text, "NODE_OPTIONS").value_or(""), ' ');
  return options;
}

std::string describe_debugger(const std::vector<ProcStat>& members) {
  for (const ProcStat& member : members) {
    if (std::string tracer = describe_tracer(member, members); !tracer.empty()) return tracer;
    const auto options =
        parse_debugger_options(file_of(member.pid, "cmdline"), file_of(member.pid, "environ"));
    if (!options.listens) continue;
    if (is_connected(member, members)) return "one is connected to " + named(member);
    if (options.waits && waits_in_a_lock(member.pid)) return named(member) + " waits for one";
  }
  return "";
}

}  // namespace codex
