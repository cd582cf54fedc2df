#pragma once

#include <prometheus/collectable.h>

#include <vector>

#include "exporters/prometheus/exposition.h"
#include "exporters/prometheus/metric_families.h"
#include "exporters/prometheus/self_process.h"
#include "exporters/snapshot.h"

namespace codex {

/// Everything one exposition shows, as prometheus-cpp families. Built anew for each scrape, so no series
/// outlives what it describes. Refers to its arguments: they must live longer.
class SnapshotCollectable : public prometheus::Collectable {
 public:
  SnapshotCollectable(const Snapshot& snapshot, const ExpositionExtras& extras,
                      const std::optional<SelfProcess>& self)
      : snapshot_(snapshot), extras_(extras), self_(self) {}

  /// Families in catalogue order; a family without a sample is left out, header lines included.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Snapshot& snapshot_;
  const ExpositionExtras& extras_;
  const std::optional<SelfProcess>& self_;
};

/// The parts of Collect(), one per area of the catalogue.
void add_backend_metrics(const BackendSnapshot& backend, MetricFamilies& out);
void add_probe_metrics(const BackendSnapshot& backend, MetricFamilies& out);
void add_resource_metrics(const BackendSnapshot& backend, MetricFamilies& out);
void add_agent_metrics(const Snapshot& snapshot, const ExpositionExtras& extras, MetricFamilies& out);
void add_self_metrics(const SelfProcess& self, MetricFamilies& out);

}  // namespace codex
