#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/os/cgroup.h"
#include "agent/os/event_loop.h"
#include "agent/os/process_table.h"
#include "agent/os/reaper.h"
#include "agent/os/spawn.h"
#include "agent/process/tree_identity.h"

namespace codex {

/// One command's processes, a backend's most of all: the leader that we started and whatever came of it,
/// wherever it has moved (own session, own group, re-parented to us as sub-reaper). Only members ever get a
/// signal. Loop thread.
///
/// Membership: the cgroup, where we have one; every descendant of the leader; and every orphan that the
/// kernel handed to us and that we saw in the tree before or that carries the tree's token.
class ProcessTree {
 public:
  struct Events {
    std::function<void()> exec_succeeded;                 ///< the leader runs the program
    std::function<void(const SpawnError&)> spawn_failed;  ///< it never did; the child is gone already
    std::function<void(const ExitStatus&)> leader_exited;
  };

  /// `use_cgroup`: try to give the tree a cgroup of its own. `token_variable`: what carries the token.
  ProcessTree(EventLoop& loop, TreeIdentity identity, bool use_cgroup, Events events,
              const char* token_variable = kTokenVariable);

  /// By what its processes are told from others. What it spawns has a secret, so that none is guessable then.
  [[nodiscard]] const TreeIdentity& identity() const { return identity_; }

  /// Starts the leader of `generation`; the tree must be empty. Throws SpawnError.
  void spawn(SpawnRequest request, std::uint64_t generation);

  /// Looks for processes of an earlier agent by their token; they are members from then on. False if there is
  /// none.
  bool find_leftovers();

  /// The leader of the newest generation of which one is left. What a leader has left behind is none.
  struct Adoptable {
    ProcessId leader;
    std::uint64_t generation = 0;
  };
  [[nodiscard]] std::optional<Adoptable> adoptable();

  /// Makes a leftover the leader. It is not our child: its end is seen through a pidfd, its exit status is
  /// not. False if it has just ended. Throws std::system_error for want of descriptors, and changes nothing
  /// then.
  bool adopt(const Adoptable& leftover);

  /// A child that has ended was one of this tree: its resource usage is this tree's, too.
  [[nodiscard]] bool knows(pid_t pid) const;

  /// The reaper's report. True if the process was one of this tree.
  bool on_reaped(pid_t pid, const ExitStatus& status);

  /// All live members, parents first. A leader thread that is a zombie while other threads live counts as
  /// live.
  std::vector<ProcStat> members();

  [[nodiscard]] std::optional<pid_t> leader() const;

  /// Sends `signals` to a member, through a pidfd and only if pid and start time still agree. False if it is
  /// gone. Throws std::system_error for want of descriptors, and has sent none of them then. Where a sandbox
  /// refuses pidfd_open(2) its number has to do.
  bool signal(const ProcessId& member, std::initializer_list<int> signals);
  bool signal(const ProcessId& member, int number) { return signal(member, {number}); }

  /// SIGKILL to all members at once; call until members() is empty, new ones may just have been forked.
  void kill_all();

  [[nodiscard]] std::optional<Cgroup::Cpu> cgroup_cpu() const;

  /// What the tree's cgroup uses; nullopt without one, where memory is not counted by cgroup, and while the
  /// leader lives outside of it, as one may that an earlier agent started.
  [[nodiscard]] std::optional<std::uint64_t> cgroup_memory() const;

  /// To be asked when members() was empty: looks again in a way that misses nobody. members() may miss one
  /// whose parent ends while it looks, or that is amid an execve(2); and what an earlier agent left is found
  /// by its token only. False may also mean that it cannot be told yet: ask again.
  bool is_surely_empty();

 private:
  bool is_ours(const ProcStat& orphan);
  void watch_exec_pipe();
  bool exec_finished();
  void renew_cgroup();
  void leader_gone(const ExitStatus& status);

  EventLoop& loop_;
  TreeIdentity identity_;
  const char* token_variable_;
  bool use_cgroup_;
  Events events_;
  std::optional<Cgroup> cgroup_;
  Cgroup::Cpu cpu_of_earlier_cgroups_;
  std::optional<ProcessId> leader_;
  std::optional<SpawnRequest> request_;
  std::set<ProcessId> seen_;  ///< members of the last look
  bool unsettled_ = false;    ///< the last look met an orphan of which it could not be told yet
  pid_t session_ = 0;         ///< of the present generation: its leader's pid
  std::optional<SpawnError> spawn_error_;
  UniqueFd pidfd_, exec_pipe_;
  bool foreign_children_ = false;     ///< members may be re-parented to somebody else than us
  FdWatch exec_watch_, pidfd_watch_;  // keep last
};

}  // namespace codex
