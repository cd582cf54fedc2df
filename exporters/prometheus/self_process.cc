#include "exporters/prometheus/self_process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>

#include "agent/os/process_table.h"
#include "exporters/prometheus/snapshot_collectable.h"

namespace codex {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::uint64_t count_open_fds() {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir("/proc/self/fd"));
  if (!directory) return 0;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(directory.get())) count += entry->d_name[0] != '.';
  return count - 1;  // without the descriptor of this walk
}

std::uint64_t soft_limit(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return RLIM_INFINITY;
  return limit.rlim_cur;
}

}  // namespace

std::optional<SelfProcess> read_self_process() {
  const auto stat = read_proc_stat(::getpid());
  if (!stat) return std::nullopt;
  SelfProcess self;
  const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  self.cpu_seconds = static_cast<double>(stat->user_ticks + stat->system_ticks) / ticks_per_second;
  self.threads = stat->threads;
  self.virtual_bytes = stat->virtual_bytes;
  self.resident_bytes = stat->resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  // Once: it is made of two clocks, which never agree on it twice.
  static const WallTime started_at = wall_time_of(stat->start_ticks);
  self.started_at = started_at;
  self.open_fds = count_open_fds();
  self.max_fds = soft_limit(RLIMIT_NOFILE);
  self.max_virtual_bytes = soft_limit(RLIMIT_AS);
  return self;
}

void add_self_metrics(const SelfProcess& self, MetricFamilies& out) {
  out.add(Metric::kProcessCpuSeconds, {}, self.cpu_seconds);
  out.add(Metric::kProcessOpenFds, {}, static_cast<double>(self.open_fds));
  out.add(Metric::kProcessMaxFds, {}, static_cast<double>(self.max_fds));
  out.add(Metric::kProcessVirtualMemoryBytes, {}, static_cast<double>(self.virtual_bytes));
  out.add(Metric::kProcessVirtualMemoryMaxBytes, {}, static_cast<double>(self.max_virtual_bytes));
  out.add(Metric::kProcessResidentMemoryBytes, {}, static_cast<double>(self.resident_bytes));
  out.add(Metric::kProcessStartTimeSeconds, {}, to_unix_seconds(self.started_at));
  out.add(Metric::kProcessThreads, {}, static_cast<double>(self.threads));
}

}  // namespace codex
