#include "exporters/prometheus/snapshot_collectable.h"

namespace codex {

void add_resource_metrics(const BackendSnapshot& backend, MetricFamilies& out) {
  const std::string_view name = backend.name;
  const ResourceSnapshot& tree = backend.totals;
  const auto add = [&](Metric id, std::uint64_t value) { out.add(id, {name}, as_double(value)); };

  add(Metric::kBackendProcesses, tree.processes);
  add(Metric::kBackendThreads, tree.threads);
  for (const std::string_view state : kProcessStates) {
    const auto found = tree.process_states.find(std::string(state));
    out.add(Metric::kBackendProcessStates, {name, state},
            found == tree.process_states.end() ? 0 : as_double(found->second));
  }
  out.add(Metric::kBackendCpuSeconds, {name, "user"}, tree.cpu_user_seconds);
  out.add(Metric::kBackendCpuSeconds, {name, "system"}, tree.cpu_system_seconds);
  add(Metric::kBackendResidentMemoryBytes, tree.resident_bytes);
  add(Metric::kBackendVirtualMemoryBytes, tree.virtual_bytes);
  add(Metric::kBackendSwapMemoryBytes, tree.swap_bytes);
  add(Metric::kBackendUsedMemoryBytes, tree.used_memory_bytes);
  if (tree.proportional_bytes) add(Metric::kBackendProportionalMemoryBytes, *tree.proportional_bytes);
  if (backend.memory_limit_bytes) add(Metric::kBackendMemoryLimitBytes, *backend.memory_limit_bytes);
  add(Metric::kBackendOpenFds, tree.open_fds);
  out.add(Metric::kBackendWorstFdRatio, {name}, tree.worst_fd_ratio);
  // A constant 0 for what may not be read would look like an idle disk.
  if (tree.read_bytes) add(Metric::kBackendReadBytes, *tree.read_bytes);
  if (tree.written_bytes) add(Metric::kBackendWrittenBytes, *tree.written_bytes);
  add(Metric::kBackendMajorPageFaults, tree.major_faults);
  add(Metric::kBackendMinorPageFaults, tree.minor_faults);
  out.add(Metric::kBackendContextSwitches, {name, "voluntary"}, as_double(tree.voluntary_switches));
  out.add(Metric::kBackendContextSwitches, {name, "involuntary"}, as_double(tree.involuntary_switches));
}

}  // namespace codex
