#pragma once

#include <cstdint>
#include <optional>

#include "agent/process/process_tree.h"
#include "exporters/snapshot.h"
#include "probes/process/process_usage.h"

namespace codex {

/// Looks at a tree's use of resources from time to time, and turns what was seen into the snapshot's terms.
/// Loop thread.
class ResourceSampler {
 public:
  ResourceSampler(bool collect_pss, std::optional<std::uint64_t> memory_limit)
      : usage_(collect_pss, "/proc", memory_limit) {}

  /// Looks now. True if anything lives in the tree.
  bool sample(ProcessTree& tree);

  /// Of a process of the tree that the agent reaped (wait4(2)).
  void add_reaped(const rusage& usage) { usage_.add_reaped(usage); }

  [[nodiscard]] ResourceSnapshot snapshot() const;
  [[nodiscard]] const TreeUsage& last() const { return last_; }
  /// Cores in use between the last two looks; nullopt before the second one.
  [[nodiscard]] std::optional<double> cpu_ratio() const { return cpu_ratio_; }
  [[nodiscard]] Duration cost() const { return cost_; }  ///< what the last look took

 private:
  void note_cpu_ratio(TimePoint now, bool anything_lives);

  ProcessUsage usage_;
  TreeUsage last_;
  Duration cost_{0};
  std::optional<TimePoint> sampled_at_;
  double cpu_then_ = 0;
  std::optional<double> cpu_ratio_;
};

}  // namespace codex
