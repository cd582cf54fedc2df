#include "probes/process/context_switches.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace codex {

namespace {

Switches switches_of(const ProcStatus& status) {
  return {status.voluntary_switches.value_or(0), status.involuntary_switches.value_or(0)};
}

void count_growth(Switches& last, const Switches& now, Switches& total) {
  total.voluntary += now.voluntary - std::min(now.voluntary, last.voluntary);
  total.involuntary += now.involuntary - std::min(now.involuntary, last.involuntary);
  last = now;
}

/// How often a thread was put on a CPU: "exec_ns wait_ns runs\n" (Documentation/scheduler/sched-stats.rst).
std::uint64_t runs_of(std::string_view schedstat) {
  const auto space = schedstat.rfind(' ');
  if (space == std::string_view::npos) return 0;
  std::uint64_t runs = 0;
  std::from_chars(schedstat.data() + space + 1, schedstat.data() + schedstat.size(), runs);
  return runs;
}

}  // namespace

void ContextSwitches::sample(ProcessDirectory& process, pid_t leader, const ProcStatus& leader_status,
                             std::uint64_t thread_count, ThreadBudget& budget, Switches& total) {
  if (leader_status.voluntary_switches) count_growth(leader_, switches_of(leader_status), total);
  for (auto& [tid, thread] : others_) thread.present = false;
  if (thread_count > 1) {
    for (const pid_t tid : process.threads()) {
      if (tid == leader) continue;
      if (budget.reads <= 0) {
        budget.exhausted = true;
        return;
      }
      --budget.reads;
      sample_thread(process, tid, budget, total);
    }
  }
  forget_ended(budget);
}

bool ContextSwitches::slept(ProcessDirectory& process, Thread& thread, ThreadBudget& budget) {
  if (!thread.schedstat) return false;
  const auto text = process.read_again(thread.schedstat.get());
  if (!text) {
    // The thread we knew has ended and this is another one with its id.
    thread = {};
    ++budget.kept_fds;
    return false;
  }
  const auto runs = runs_of(*text);
  return runs != 0 && runs == std::exchange(thread.runs, runs);
}

void ContextSwitches::sample_thread(ProcessDirectory& process, pid_t tid, ThreadBudget& budget,
                                    Switches& total) {
  auto& thread = others_[tid];
  if (slept(process, thread, budget)) {
    thread.present = true;
    return;
  }
  const auto directory = "task/" + std::to_string(tid);
  if (!thread.schedstat && budget.kept_fds > 0) {
    thread.schedstat = process.open((directory + "/schedstat").c_str());
    if (thread.schedstat) {
      --budget.kept_fds;
      // Before status: a run in between then means one reading too many, not one too few.
      thread.runs = runs_of(process.read_again(thread.schedstat.get()).value_or(""));
    }
  }
  const auto text = process.read((directory + "/status").c_str());
  if (!text) return;
  thread.present = true;
  const auto status = parse_proc_status(*text);
  if (!status.voluntary_switches) return;
  const auto now = switches_of(status);
  if (now.voluntary < thread.last.voluntary || now.involuntary < thread.last.involuntary) thread.last = {};
  count_growth(thread.last, now, total);
}

void ContextSwitches::forget_ended(ThreadBudget& budget) {
  budget.kept_fds += static_cast<int>(std::erase_if(
      others_, [](const auto& entry) { return !entry.second.present && entry.second.schedstat; }));
  std::erase_if(others_, [](const auto& entry) { return !entry.second.present; });
}

int ContextSwitches::kept_fds() const {
  return static_cast<int>(std::count_if(others_.begin(), others_.end(), [](const auto& entry) {
    return static_cast<bool>(entry.second.schedstat);
  }));
}

}  // namespace codex
