#include "agent/process/tree_stopper.h"

#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/os/files.h"
#include "agent/os/signal_name.h"
#include "agent/text/display_text.h"

namespace codex {

namespace {

using std::chrono::milliseconds;

/// Exits of our own children wake us; this is for members whose parent is another member.
constexpr Duration kTick = milliseconds(5);

/// The kernel frees a port a moment after its last owner died. What still listens later is somebody else's.
constexpr Duration kPortLinger = milliseconds(500);

ProcessId id_of(const ProcStat& stat) {
  return ProcessId{stat.pid, stat.start_ticks};
}

std::string wait_channel(pid_t pid) {
  const UniqueFd directory(
      ::open(("/proc/" + std::to_string(pid)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto text = directory ? read_proc_file(directory.get(), "wchan", 128) : std::nullopt;
  return !text || text->empty() || *text == "0" ? "an unknown place" : *text;
}

}  // namespace

TreeStopper::TreeStopper(EventLoop& loop, ProcessTree& tree, SockDiag& sock_diag,
                         std::optional<std::uint16_t> port, Events events)
    : loop_(loop),
      tree_(tree),
      sock_diag_(sock_diag),
      port_(port),
      events_(std::move(events)),
      tick_(
          loop, "stop_tick", [this] { check(); }, Priority::kUrgent) {}

void TreeStopper::stop(int signal) {
  if (active_) return;
  active_ = true;
  killing_ = false;
  signal_ = signal;
  owners_.reset();
  signalled_.clear();
  empty_since_.reset();
  check();
}

void TreeStopper::kill() {
  if (!active_) return;
  const bool first = !std::exchange(killing_, true);
  tick_.arm_after(kTick);
  if (first && !tree_.members().empty()) events_.signalled("SIGKILL");
  check();
}

void TreeStopper::member_gone() {
  if (active_) tick_.arm_after(Duration{0});
}

void TreeStopper::check() {
  if (!active_) return;
  tick_.arm_after(kTick);  // First: whatever fails below is tried again.
  auto members = tree_.members();
  if (killing_ && !members.empty()) {
    tree_.kill_all();
    members = tree_.members();
  } else if (!members.empty()) {
    signal_whose_turn_it_is(members);
    members = tree_.members();
  }
  // The leader may be dead but not yet reaped; its exit must be told before "empty" is.
  if (members.empty() && !tree_.leader() && port_is_given_up() && tree_.is_surely_empty()) {
    active_ = false;
    tick_.disarm();
    events_.empty(port_free_);
  }
}

std::set<ProcessId> TreeStopper::owners_among(const std::vector<ProcStat>& members) {
  std::set<ProcessId> owners;
  if (!port_) return owners;
  std::vector<pid_t> pids;
  for (const auto& member : members) pids.push_back(member.pid);
  for (const auto& listener : sock_diag_.listeners(*port_)) {
    const auto owner = socket_owner(listener.inode, pids);
    if (!owner) continue;
    const auto member = std::find_if(members.begin(), members.end(),
                                     [&](const ProcStat& stat) { return stat.pid == *owner; });
    owners.insert(id_of(*member));
  }
  return owners;
}

/// The owners of the port; when none of them lives, everybody.
void TreeStopper::signal_whose_turn_it_is(const std::vector<ProcStat>& members) {
  if (!owners_) {
    owners_ = owners_among(members);
    events_.signalled(signal_name(signal_));
  }
  const bool owner_lives = std::any_of(members.begin(), members.end(),
                                       [&](const ProcStat& stat) { return owners_->contains(id_of(stat)); });
  for (const auto& member : members) {
    const auto id = id_of(member);
    if (signalled_.contains(id) || (owner_lives && !owners_->contains(id))) continue;
    tree_.signal(id, {signal_, SIGCONT});
    signalled_.insert(id);
  }
}

bool TreeStopper::port_is_given_up() {
  if (!empty_since_) empty_since_ = loop_.now();
  port_free_ = !port_ || sock_diag_.listeners(*port_).empty();
  return port_free_ || loop_.now() - *empty_since_ > kPortLinger;
}

std::string TreeStopper::obstacle() {
  const auto members = tree_.members();
  if (members.empty()) return {};
  const auto& first = members.front();
  return "pid " + std::to_string(first.pid) + " (" + escape_for_display(first.comm, 64) +
         ") is unkillable: waiting in " + wait_channel(first.pid) + " (state " + first.state + ")";
}

}  // namespace codex
