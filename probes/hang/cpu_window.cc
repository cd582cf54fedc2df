#include "probes/hang/cpu_window.h"

#include <iterator>

namespace codex {

void CpuWindow::add(TimePoint at, std::uint64_t nanos) {
  readings_.push_back({at, nanos});
  while (readings_.size() > 2 && at - readings_.front().at > length_) readings_.pop_front();
}

Duration CpuWindow::span() const {
  return readings_.empty() ? Duration{0} : readings_.back().at - readings_.front().at;
}

double CpuWindow::ratio(Duration least) const {
  if (span() == Duration{0}) return 0;
  const auto& last = readings_.back();
  auto first = readings_.rbegin();
  while (std::next(first) != readings_.rend() && last.at - first->at < least) ++first;
  if (last.at == first->at || last.nanos < first->nanos) return 0;
  return static_cast<double>(last.nanos - first->nanos) / static_cast<double>((last.at - first->at).count());
}

}  // namespace codex
