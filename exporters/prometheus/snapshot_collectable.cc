#include "exporters/prometheus/snapshot_collectable.h"

namespace codex {

std::vector<prometheus::MetricFamily> SnapshotCollectable::Collect() const {
  MetricFamilies families;
  for (const BackendSnapshot& backend : snapshot_.backends) {
    add_backend_metrics(backend, families);
    add_probe_metrics(backend, families);
    add_resource_metrics(backend, families);
  }
  add_agent_metrics(snapshot_, extras_, families);
  if (self_) add_self_metrics(*self_, families);
  return families.take();
}

}  // namespace codex
