#include "probes/process/memory_meter.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "agent/os/clock.h"
#include "agent/os/proc_files.h"
#include "probes/process/process_directory.h"

namespace codex {

namespace {

constexpr Duration kCostOfOneLook = std::chrono::milliseconds(10);

std::uint64_t proportional_bytes_of(int proc_root, const ProcStat& stat) {
  static const auto kPageBytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t resident = stat.resident_pages * kPageBytes;
  ProcessDirectory process(proc_root, stat.pid);
  const auto text = process ? process.read("smaps_rollup") : std::nullopt;
  if (text) return parse_smaps_rollup_pss(*text).value_or(resident);
  return errno == ENOENT || errno == ESRCH ? 0 : resident;  // 0: it has ended
}

}  // namespace

std::string_view to_string(MemorySource source) {
  switch (source) {
    case MemorySource::kResident:
      return "resident";
    case MemorySource::kProportional:
      return "proportional";
    case MemorySource::kCgroup:
      return "cgroup";
  }
  return "";
}

UsedMemory MemoryMeter::measure(int proc_root, const std::vector<ProcStat>& members, const Known& known) {
  if (known.cgroup_bytes) return {*known.cgroup_bytes, MemorySource::kCgroup};
  if (known.proportional_bytes) return {*known.proportional_bytes, MemorySource::kProportional};
  if (!limit_ || known.resident_bytes <= *limit_ / 2) {
    proportional_.reset();
    looks_to_skip_ = 0;
    return {known.resident_bytes, MemorySource::kResident};
  }
  if (looks_to_skip_ > 0) {
    --looks_to_skip_;
  } else {
    const TimePoint begin = Clock::now();
    proportional_ = 0;
    for (const ProcStat& stat : members) *proportional_ += proportional_bytes_of(proc_root, stat);
    looks_to_skip_ = 1 + static_cast<std::uint64_t>((Clock::now() - begin) / kCostOfOneLook);
  }
  return {std::min(*proportional_, known.resident_bytes), MemorySource::kProportional};
}

}  // namespace codex
