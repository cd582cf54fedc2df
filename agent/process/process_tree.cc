#include "agent/process/process_tree.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "agent/os/check.h"

namespace codex {

namespace {

int send_signal(int pidfd, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

/// This process and those it descends from: even with our token in their environment they are no members.
std::set<pid_t> own_family() {
  std::set<pid_t> family;
  for (pid_t pid = ::getpid(); pid > 0 && family.insert(pid).second;) {
    const auto stat = read_proc_stat(pid);
    pid = stat ? stat->parent : 0;
  }
  return family;
}

/// Our children that have ended and were not reaped yet.
std::set<pid_t> ended_children() {
  std::set<pid_t> ended;
  for (const pid_t pid : children_of(::getpid())) {
    if (!identify_process(pid)) ended.insert(pid);
  }
  return ended;
}

}  // namespace

ProcessTree::ProcessTree(EventLoop& loop, TreeIdentity identity, bool use_cgroup, Events events,
                         const char* token_variable)
    : loop_(loop),
      identity_(std::move(identity)),
      token_variable_(token_variable),
      use_cgroup_(use_cgroup),
      events_(std::move(events)) {
  if (use_cgroup_) cgroup_ = Cgroup::create(identity_.cgroup_name());
}

void ProcessTree::spawn(SpawnRequest request, std::uint64_t generation) {
  request.environment[token_variable_] = identity_.token_prefix() + std::to_string(generation) + "/";
  request.pid_variable = token_variable_;
  renew_cgroup();
  request.cgroup_fd = cgroup_ ? cgroup_->fd() : -1;
  SpawnedProcess child;
  try {
    child = codex::spawn(request);
  } catch (const SpawnError& error) {
    if (!cgroup_ || error.stage != "fork" || is_shortage(error.error)) throw;
    cgroup_.reset();  // Removed by somebody, or not for us after all: go on without.
    request.cgroup_fd = -1;
    child = codex::spawn(request);
  }
  request.environment.clear();  // Only the command is needed from here on; the rest may hold secrets.
  request_ = std::move(request);
  identity_.guessable = false;
  leader_ = ProcessId{child.pid, 0};
  if (const auto stat = read_proc_stat(child.pid)) leader_->start_ticks = stat->start_ticks;
  seen_ = {*leader_};
  session_ = child.pid;
  spawn_error_.reset();
  exec_watch_.reset();
  pidfd_ = std::move(child.pidfd);
  exec_pipe_ = std::move(child.exec_pipe);
  watch_exec_pipe();
}

/// The tree is empty: a new generation gets a new group if there is none, which may be for want of
/// descriptors at an earlier time, or if the old one cannot be used again.
void ProcessTree::renew_cgroup() {
  if (!use_cgroup_ || (cgroup_ && cgroup_->unspent())) return;
  if (const auto cpu = cgroup_ ? cgroup_->cpu() : std::nullopt) {
    cpu_of_earlier_cgroups_.user_seconds += cpu->user_seconds;
    cpu_of_earlier_cgroups_.system_seconds += cpu->system_seconds;
  }
  cgroup_.reset();
  cgroup_ = Cgroup::create(identity_.cgroup_name());
}

void ProcessTree::watch_exec_pipe() {
  exec_watch_ = FdWatch(
      loop_, "exec_pipe", exec_pipe_.get(), EPOLLIN,
      [this](std::uint32_t) {
        // A failure is reported when the child is reaped, so that "failed" means "nothing is left of it".
        if (exec_finished() && !spawn_error_) events_.exec_succeeded();
      },
      Priority::kUrgent);
}

/// Reads one report. False if the child goes on outside the cgroup, as we do then.
bool ProcessTree::exec_finished() {
  spawn_error_ = read_spawn_error(exec_pipe_.get(), *request_);
  if (spawn_error_ && spawn_error_->stage == kCgroupStage) {
    spawn_error_.reset();
    cgroup_.reset();
    return false;
  }
  exec_watch_.reset();
  exec_pipe_.reset();
  return true;
}

bool ProcessTree::find_leftovers() {
  const auto family = own_family();
  for (const auto& id : find_tree(identity_, token_variable_)) {
    if (!family.contains(id.pid)) seen_.insert(id);
  }
  foreign_children_ = !members().empty();
  return foreign_children_;
}

std::optional<ProcessTree::Adoptable> ProcessTree::adoptable() {
  std::optional<Adoptable> best;
  if (leader_ || !foreign_children_) return best;
  for (const auto& member : members()) {
    const auto token = token_of(identity_, member.pid, token_variable_);
    if (!token) continue;
    char* end = nullptr;
    const auto generation = std::strtoull(token->c_str(), &end, 10);
    const bool leads = end == "/" + std::to_string(member.pid);
    if (leads && (!best || generation > best->generation))
      best = {{member.pid, member.start_ticks}, generation};
  }
  return best;
}

bool ProcessTree::adopt(const Adoptable& leftover) {
  UniqueFd pidfd = open_pidfd(leftover.leader.pid);
  if (!pidfd || identify_process(leftover.leader.pid) != leftover.leader) return false;
  pidfd_watch_ = FdWatch(
      loop_, "pidfd", pidfd.get(), EPOLLIN,
      [this](std::uint32_t) {
        leader_gone(ExitStatus{false, 0, 0, false});
      },
      Priority::kUrgent);
  pidfd_ = std::move(pidfd);
  leader_ = leftover.leader;
  session_ = leftover.leader.pid;
  return true;
}

bool ProcessTree::knows(pid_t pid) const {
  return (leader_ && leader_->pid == pid) ||
         std::any_of(seen_.begin(), seen_.end(), [&](const ProcessId& id) { return id.pid == pid; });
}

bool ProcessTree::on_reaped(pid_t pid, const ExitStatus& status) {
  if (leader_ && leader_->pid == pid) {
    leader_gone(status);
    return true;
  }
  return std::erase_if(seen_, [&](const ProcessId& id) { return id.pid == pid; }) > 0;
}

void ProcessTree::leader_gone(const ExitStatus& status) {
  const bool exec_pending = static_cast<bool>(exec_pipe_);
  while (exec_pipe_ && !exec_finished()) {
  }
  pidfd_watch_.reset();
  pidfd_.reset();
  leader_.reset();
  if (spawn_error_) {
    events_.spawn_failed(*spawn_error_);
    return;
  }
  if (exec_pending) events_.exec_succeeded();
  events_.leader_exited(status);
}

bool ProcessTree::is_ours(const ProcStat& orphan) {
  const ProcessId id{orphan.pid, orphan.start_ticks};
  if (seen_.contains(id) || (session_ != 0 && orphan.session == session_)) return true;
  const auto answer = started_with(orphan, token_variable_, identity_.token_prefix());
  if (!answer) unsettled_ = true;
  return answer.value_or(false);
}

std::vector<ProcStat> ProcessTree::members() {
  std::vector<pid_t> roots;
  if (leader_) roots.push_back(leader_->pid);
  if (cgroup_) {
    for (const pid_t pid : cgroup_->pids()) roots.push_back(pid);
  }
  unsettled_ = false;
  for (const pid_t pid : children_of(::getpid())) {
    if (leader_ && leader_->pid == pid) continue;
    const auto stat = read_proc_stat(pid);
    if (stat && is_ours(*stat)) roots.push_back(pid);
  }
  for (const auto& id : seen_) {  // re-parented elsewhere, e.g. taken over from an earlier agent
    const auto stat = read_proc_stat(id.pid);
    if (stat && stat->start_ticks == id.start_ticks) roots.push_back(id.pid);
  }
  auto found = descendants_of(roots);
  std::erase_if(found, [](const ProcStat& stat) { return stat.pid == ::getpid(); });
  seen_.clear();
  for (const auto& stat : found) seen_.insert(ProcessId{stat.pid, stat.start_ticks});
  return found;
}

std::optional<pid_t> ProcessTree::leader() const {
  if (!leader_) return std::nullopt;
  return leader_->pid;
}

bool ProcessTree::signal(const ProcessId& member, std::initializer_list<int> signals) {
  const UniqueFd pidfd = open_pidfd(member.pid);
  const bool by_number = !pidfd && (errno == ENOSYS || errno == EPERM);
  if (!pidfd && !by_number) return false;
  // The pidfd is held before the check: if the start time still agrees now, it can only be that process.
  const auto stat = read_proc_stat(member.pid);
  if (!stat || stat->start_ticks != member.start_ticks) return false;
  return std::all_of(signals.begin(), signals.end(), [&](int number) {
    return (by_number ? ::kill(member.pid, number) : send_signal(pidfd.get(), number)) == 0;
  });
}

void ProcessTree::kill_all() {
  if (cgroup_) cgroup_->kill();
  for (const auto& stat : members()) signal(ProcessId{stat.pid, stat.start_ticks}, SIGKILL);
}

bool ProcessTree::is_surely_empty() {
  // Whoever lives has a child of ours above, or is one. The look misses it only if that child ended after the
  // list of our children was read, and leaves behind a new child. Then it is among the ended ones afterwards
  // and was not before, for only this thread reaps.
  const auto ended = ended_children();
  const bool empty = (!cgroup_ || cgroup_->is_empty()) && members().empty() && !unsettled_ &&
                     ended_children() == ended && !(foreign_children_ && find_leftovers());
  if (empty && !leader_) session_ = 0;  // From here on the number may become some other child's.
  return empty;
}

std::optional<Cgroup::Cpu> ProcessTree::cgroup_cpu() const {
  auto cpu = cgroup_ ? cgroup_->cpu() : std::nullopt;
  if (!cpu) return std::nullopt;
  cpu->user_seconds += cpu_of_earlier_cgroups_.user_seconds;
  cpu->system_seconds += cpu_of_earlier_cgroups_.system_seconds;
  return cpu;
}

std::optional<std::uint64_t> ProcessTree::cgroup_memory() const {
  const auto used = cgroup_ ? cgroup_->memory() : std::nullopt;
  if (!used || !leader_) return std::nullopt;
  const auto inside = cgroup_->pids();
  if (std::find(inside.begin(), inside.end(), leader_->pid) == inside.end()) return std::nullopt;
  return used;
}

}  // namespace codex
