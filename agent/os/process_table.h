#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/proc_files.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// Live questions to /proc. Each answers "gone" by nullopt or by leaving the process out. They
/// throw std::system_error only when this process itself lacks descriptors or memory for the look.
/// Costs 2-5 us a process (a stat read); call from the loop.

/// Identity of a live process; nullopt if it is gone or a zombie, or if the number is a mere thread's.
std::optional<ProcessId> identify_process(pid_t pid);

/// Stands for the process that has this number now, and becomes readable when it ends (pidfd_open(2)). Empty if
/// there is none, or the system refuses it: errno.
UniqueFd open_pidfd(pid_t pid);

/// stat of a live or zombie process.
std::optional<ProcStat> read_proc_stat(pid_t pid);

/// Direct children of all threads of `pid` (/proc/PID/task/*/children).
std::vector<pid_t> children_of(pid_t pid);

/// `roots` and everything below them, parents before children, zombies left out. Repeats nothing.
std::vector<ProcStat> descendants_of(const std::vector<pid_t>& roots);

/// Whether it is `user`'s by its real and by its effective user id, so that what another user has started with
/// rights of ours is not taken for ours. Not by the owner of /proc/PID, which is root's where nobody may dump.
bool runs_as(pid_t pid, uid_t user);

/// Value of an environment variable in the block the process was started with; nullopt if unreadable.
std::optional<std::string> environment_of(pid_t pid, std::string_view name);

/// Whether the start environment of a live process has `name` with a value that begins with `prefix`. nullopt
/// if that cannot be told now, for in the midst of an execve(2) and of its end a process has none: ask again.
std::optional<bool> started_with(const ProcStat& process, std::string_view name, std::string_view prefix);

/// Every process of which started_with() is true. Walks all of /proc: for start-up and rare clean-up only.
std::vector<ProcessId> find_processes_by_environment(std::string_view name, std::string_view prefix);

/// What a person needs to recognise a process.
struct ProcessDescription {
  pid_t pid = 0;
  std::string command;  ///< cmdline, or [comm] without one; raw, escape before showing
  std::string user;     ///< name, or the uid as digits
  WallTime since{};     ///< when it started
};
std::optional<ProcessDescription> describe_process(pid_t pid);

/// Which of `pids` has the socket with this inode open (/proc/PID/fd/* -> socket:[inode]).
std::optional<pid_t> socket_owner(std::uint64_t inode, const std::vector<pid_t>& pids);

/// As above among all processes of the host that we may look into.
std::optional<pid_t> socket_owner_on_host(std::uint64_t inode);

/// Wall time at which a process with these start ticks began; from /proc/stat btime.
WallTime wall_time_of(std::uint64_t start_ticks);

}  // namespace codex
