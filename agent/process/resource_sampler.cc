#include "agent/process/resource_sampler.h"

namespace codex {

bool ResourceSampler::sample(ProcessTree& tree) {
  const auto members = tree.members();
  const auto group = tree.cgroup_cpu();
  const TimePoint begin = Clock::now();
  std::optional<CpuTime> cpu;
  if (group) cpu = CpuTime{group->user_seconds, group->system_seconds};
  last_ = usage_.sample(members, cpu, tree.cgroup_memory());
  cost_ = Clock::now() - begin;
  note_cpu_ratio(begin, !members.empty());
  return !members.empty();
}

void ResourceSampler::note_cpu_ratio(TimePoint now, bool anything_lives) {
  // The kernel counts in ticks of 10 ms: over less than this a ratio would be noise.
  constexpr Duration kShortest = std::chrono::milliseconds(500);
  if (sampled_at_ && anything_lives && now - *sampled_at_ < kShortest) return;
  const double used = last_.cpu.user_seconds + last_.cpu.system_seconds;
  cpu_ratio_.reset();
  if (sampled_at_ && anything_lives) cpu_ratio_ = (used - cpu_then_) / to_seconds(now - *sampled_at_);
  sampled_at_ = anything_lives ? std::optional(now) : std::nullopt;
  cpu_then_ = used;
}

ResourceSnapshot ResourceSampler::snapshot() const {
  ResourceSnapshot resources;
  resources.processes = last_.processes;
  resources.threads = last_.threads;
  resources.process_states = last_.states;
  resources.cpu_user_seconds = last_.cpu.user_seconds;
  resources.cpu_system_seconds = last_.cpu.system_seconds;
  resources.resident_bytes = last_.resident_bytes;
  resources.virtual_bytes = last_.virtual_bytes;
  resources.swap_bytes = last_.swap_bytes;
  resources.proportional_bytes = last_.proportional_bytes;
  resources.used_memory_bytes = last_.used_memory.bytes;
  resources.used_memory_source = to_string(last_.used_memory.source);
  resources.open_fds = last_.open_fds;
  resources.worst_fd_ratio = last_.worst_fd_ratio;
  resources.read_bytes = last_.read_bytes;
  resources.written_bytes = last_.written_bytes;
  resources.major_faults = last_.major_faults;
  resources.minor_faults = last_.minor_faults;
  resources.voluntary_switches = last_.voluntary_switches;
  resources.involuntary_switches = last_.involuntary_switches;
  resources.cpu_ratio = cpu_ratio_;
  return resources;
}

}  // namespace codex
