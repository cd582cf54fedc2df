#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/exit_status.h"
#include "agent/os/process_id.h"
#include "agent/os/process_stat.h"
#include "agent/os/spawn.h"
#include "agent/process/process_tree.h"
#include "exporters/snapshot.h"
#include "probes/process/process_usage.h"

namespace codex {

/// One backend's processes, its port and its output, as far as the parts of a Backend need them: what can be
/// seen, and what can be done. LiveTree is the kernel's; tests have one of their own. Loop thread.
class BackendTree {
 public:
  /// Called from the loop or from within what was called.
  struct Events {
    std::function<void()> executed;                       ///< the leader runs the program
    std::function<void(const SpawnError&)> spawn_failed;  ///< it never did, and has gone
    std::function<void(const ExitStatus&)> leader_exited;
    std::function<void()> server_ended;                 ///< the process that had the port
    std::function<void(bool port_free)> empty;          ///< after stop() or kill(): no member lives
    std::function<void(std::string signal)> signalled;  ///< a stop signal went out
  };
  virtual ~BackendTree() = default;

  /// All live members, parents first. Throws std::system_error when they cannot be looked at.
  [[nodiscard]] virtual std::vector<ProcStat> members() = 0;
  [[nodiscard]] virtual std::optional<pid_t> leader() const = 0;
  /// The command line of a member; "" if it cannot be told.
  [[nodiscard]] virtual std::string command(pid_t member) const = 0;
  /// As in ProcessTree.
  [[nodiscard]] virtual std::optional<ProcessTree::Adoptable> adoptable() = 0;

  /// Asks who listens on the port. False without a port, and when it cannot be asked: the last look counts
  /// on.
  virtual bool look_at_port() = 0;
  /// As of the last look; nullptr without a port.
  [[nodiscard]] virtual const PortSnapshot* port() const = 0;
  /// Who of ours had the listening socket at the last look.
  [[nodiscard]] virtual std::optional<ProcessId> server() const = 0;
  /// Sentences, as in PortWatch.
  [[nodiscard]] virtual std::optional<std::string> describe_stranger() = 0;
  [[nodiscard]] virtual std::string describe_absence() const = 0;

  /// Looks at what the tree uses; true if anything lives. Throws std::system_error.
  virtual bool sample() = 0;
  /// As of the last look.
  [[nodiscard]] virtual const TreeUsage& usage() const = 0;
  [[nodiscard]] virtual std::optional<double> cpu_ratio() const = 0;

  /// The newest lines of output that came after `since`, safe to show.
  [[nodiscard]] virtual std::vector<std::string> last_lines(TimePoint since) const = 0;
  /// Reads what was written last, before it is looked at.
  virtual void drain() = 0;

  /// Starts `generation`; nothing may live. Throws SpawnError, and std::system_error for the rest.
  virtual void spawn(std::uint64_t generation) = 0;
  /// Takes a leftover over. False if it has just ended. Throws std::system_error and has done nothing then.
  virtual bool adopt(const ProcessTree::Adoptable& leftover) = 0;
  /// Writes the leader's pid into the pid file; removes the file, if it still says that.
  virtual void write_pid_file() = 0;
  virtual void remove_pid_file() = 0;
  /// What was learned of the last generation says nothing about the next.
  virtual void begin_generation() = 0;
  /// Brings it down, and then tells that it is empty.
  virtual void stop() = 0;
  /// From now on by SIGKILL. While that does not help: in words what stands in the way, else "".
  virtual std::string kill() = 0;
};

}  // namespace codex
