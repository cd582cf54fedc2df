#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/event_loop.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// What to start, and as what.
struct SpawnRequest {
  std::vector<std::string> command;  ///< argv; argv[0] is looked up in environment["PATH"]
  std::filesystem::path directory;
  std::map<std::string, std::string> environment;  ///< the complete block
  int stdout_fd = -1;                              ///< becomes fd 1
  int stderr_fd = -1;                              ///< becomes fd 2
  int cgroup_fd = -1;                              ///< cgroup v2 directory to be born in; -1 = ours
  std::optional<rlimit> open_files;                ///< RLIMIT_NOFILE of the child, if it is not to be ours
  int stdin_fd = -1;                               ///< becomes fd 0; -1 = /dev/null
  std::string setting = "command";                 ///< what configures the command, for messages
  std::string pid_variable{};  ///< of `environment`: its value gets the child's pid appended
};

/// Why a child could not become the program.
struct SpawnError {
  std::string stage;    ///< "fork" "working directory" "exec" ...
  int error = 0;        ///< errno
  std::string message;  ///< for a person: what, why, what to do

  /// For want of processes, descriptors or memory, ours or the host's: it may be over in a moment.
  [[nodiscard]] bool is_passing() const;
};

/// A process that was just started. Its pidfd stays valid whatever happens to the number.
struct SpawnedProcess {
  pid_t pid = 0;
  UniqueFd pidfd;
  /// Readable end of the exec pipe: end of file = the program runs; bytes = a SpawnError (read_spawn_error).
  UniqueFd exec_pipe;
};

/// The stage of a SpawnError after which the child goes on, outside the cgroup.
inline constexpr const char* kCgroupStage = "cgroup";

/// Starts a child in its own session with default signal dispositions, an empty mask and no
/// descriptor above 2 (clone3(2) with CLONE_PIDFD and CLONE_INTO_CGROUP, close_range(2)). The child runs in
/// our memory until exec (clone_in_place.h): to copy it, only to throw it away, took longer than exec itself.
/// Where a sandbox refuses clone3(2) the child is made by clone(2) and joins the cgroup itself before exec.
/// Waits for exec some 20 ms at most: a frozen file system must not freeze us. Throws SpawnError if not even
/// fork worked or the command cannot be found. Loop thread only.
SpawnedProcess spawn(const SpawnRequest& request);

/// Reads what the exec pipe holds once it is readable: one report. nullopt = exec succeeded. After
/// kCgroupStage there is more to come.
std::optional<SpawnError> read_spawn_error(int exec_pipe, const SpawnRequest& request);

}  // namespace codex
