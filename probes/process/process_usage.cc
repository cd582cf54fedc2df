#include "probes/process/process_usage.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/os/check.h"

namespace codex {

namespace {

constexpr std::size_t kMaxLookedInside = 1'000;
// Programs raise their own limit while they start, node among them; later it hardly ever changes.
constexpr std::uint64_t kSamplesPerLimit = 12;
constexpr std::uint64_t kRusageBlock = 512;  // getrusage(2): blocks are kernel's 512-byte units
// Ten thousand years of CPU time. The kernel has been seen to report children times around INT64_MAX.
constexpr std::uint64_t kMaxPlausibleTicks = 10'000ULL * 366 * 86'400 * 100;

std::uint64_t micros_of_ticks(std::uint64_t ticks) {
  static const auto kMicrosPerTick = 1'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return ticks <= kMaxPlausibleTicks ? ticks * kMicrosPerTick : 0;
}

std::uint64_t micros_of_ticks(std::int64_t ticks) {
  return micros_of_ticks(static_cast<std::uint64_t>(ticks));
}

std::uint64_t micros_of(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

std::uint64_t non_negative(long value) {
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

const char* state_name(char letter) {
  switch (letter) {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'D':
      return "disk_sleep";
    case 'T':
    case 't':
      return "stopped";
    case 'Z':
      return "zombie";
    case 'I':
      return "idle";
    default:
      return "other";
  }
}

void add_gauges(const ProcStat& stat, TreeUsage& usage) {
  static const auto kPageBytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  ++usage.processes;
  ++usage.states[state_name(stat.state)];
  usage.threads += stat.threads;
  usage.resident_bytes += stat.resident_pages * kPageBytes;
  usage.virtual_bytes += stat.virtual_bytes;
}

/// A cgroup's time only falls when the cgroup was made anew.
void advance(double& total, double last, double now) {
  total += now >= last ? now - last : now;
}

}  // namespace

ProcessUsage::ProcessUsage(bool collect_pss, const std::filesystem::path& proc_root,
                           std::optional<std::uint64_t> memory_limit)
    : root_(::open(proc_root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      collect_pss_(collect_pss),
      fd_size_is_count_(root_ && ProcessDirectory::fd_size_is_count(root_.get())),
      memory_(memory_limit) {
  if (!root_) throw_if_short("open /proc");
}

TreeUsage ProcessUsage::sample(const std::vector<ProcStat>& members, std::optional<CpuTime> cgroup_cpu,
                               std::optional<std::uint64_t> cgroup_memory) {
  ++sequence_;
  TreeUsage usage;
  for (const char letter : {'R', 'S', 'D', 'T', 'Z', 'I', '?'}) usage.states[state_name(letter)] = 0;
  if (collect_pss_) usage.proportional_bytes = 0;
  if (!members.empty()) io_readable_ = true;

  ThreadBudget budget;
  for (const auto& [id, known] : known_) budget.kept_fds -= known.switches.kept_fds();
  std::size_t looked_inside = 0;
  for (const auto& stat : members) {
    auto& known = known_.try_emplace({stat.pid, stat.start_ticks}, sequence_).first->second;
    if (known.last_seen == sequence_) continue;
    known.last_seen = sequence_;
    add_gauges(stat, usage);
    count_stat(stat, known);
    if (looked_inside++ < kMaxLookedInside) {
      look_inside(stat, known, budget, usage);
    } else {
      usage.truncated = true;
    }
  }
  usage.truncated = usage.truncated || budget.exhausted;
  settle_missing(usage);
  for (auto& counter : counters_) counter.settle();

  usage.used_memory =
      memory_.measure(root_.get(), members, {usage.resident_bytes, usage.proportional_bytes, cgroup_memory});
  usage.cpu = cpu(!members.empty(), cgroup_cpu);
  usage.io_readable = io_readable_;
  if (io_readable_) {
    usage.read_bytes = counters_[kRead].total();
    usage.written_bytes = counters_[kWritten].total();
  }
  usage.minor_faults = counters_[kMinorFaults].total();
  usage.major_faults = counters_[kMajorFaults].total();
  usage.voluntary_switches = switches_.voluntary;
  usage.involuntary_switches = switches_.involuntary;
  usage.read_errors = read_errors_;
  return usage;
}

void ProcessUsage::add_reaped(const rusage& usage) {
  counters_[kUser].credit(micros_of(usage.ru_utime));
  counters_[kSystem].credit(micros_of(usage.ru_stime));
  counters_[kMinorFaults].credit(non_negative(usage.ru_minflt));
  counters_[kMajorFaults].credit(non_negative(usage.ru_majflt));
  counters_[kRead].credit(non_negative(usage.ru_inblock) * kRusageBlock);
  counters_[kWritten].credit(non_negative(usage.ru_oublock) * kRusageBlock);
}

void ProcessUsage::count_stat(const ProcStat& stat, Known& known) {
  count(kUser, known, micros_of_ticks(stat.user_ticks), micros_of_ticks(stat.user_ticks_children));
  count(kSystem, known, micros_of_ticks(stat.system_ticks), micros_of_ticks(stat.system_ticks_children));
  count(kMinorFaults, known, stat.minor_faults, stat.minor_faults_children);
  count(kMajorFaults, known, stat.major_faults, stat.major_faults_children);
}

void ProcessUsage::count(Quantity quantity, Known& known, std::uint64_t own, std::uint64_t children) {
  auto& tally = known.tallies[quantity];
  // A value below the last one is a slip of the kernel's rounding, or a lie: what was counted stays counted.
  counters_[quantity].add(own - std::min(own, tally.own));
  const auto returned = children - std::min(children, tally.children);
  // A process seen for the first time cannot have waited for one that was known before it.
  if (known.first_seen == sequence_) {
    counters_[quantity].add(returned);
  } else {
    counters_[quantity].credit(returned);
  }
  tally.own = std::max(own, tally.own);
  tally.children = std::max(children, tally.children);
}

void ProcessUsage::look_inside(const ProcStat& stat, Known& known, ThreadBudget& budget, TreeUsage& usage) {
  ProcessDirectory process(root_.get(), stat.pid);
  if (!process) return note_error();
  if (const auto text = process.read("status")) {
    const auto status = parse_proc_status(*text);
    usage.swap_bytes += status.swap_bytes.value_or(0);
    known.switches.sample(process, stat.pid, status, stat.threads, budget, switches_);
  } else {
    note_error();
  }
  measure_fds(process, known, usage);
  measure_io(process, known);
  if (collect_pss_) measure_pss(process, usage);
  ++known.samples;
}

void ProcessUsage::measure_fds(ProcessDirectory& process, Known& known, TreeUsage& usage) {
  const auto open = process.count_fds(fd_size_is_count_);
  if (!open) return note_error();
  usage.open_fds += *open;
  if (known.samples % kSamplesPerLimit == 0) {
    const auto text = process.read("limits");
    if (!text) return note_error();
    known.fd_limit = parse_open_files_limit(*text);
  }
  if (known.fd_limit.value_or(0) == 0) return;
  usage.worst_fd_ratio =
      std::max(usage.worst_fd_ratio, static_cast<double>(*open) / static_cast<double>(*known.fd_limit));
}

void ProcessUsage::measure_io(ProcessDirectory& process, Known& known) {
  const auto text = process.read("io");
  if (!text) {
    if (errno == EACCES || errno == EPERM) {
      io_readable_ = false;
      return;
    }
    return note_error();
  }
  const auto io = parse_proc_io(*text);
  if (!io) {
    if (!text->empty()) ++read_errors_;
    return;
  }
  // The kernel folds the I/O of waited-for children into these totals, so that all growth may be a return.
  count(kRead, known, 0, io->read_bytes);
  count(kWritten, known, 0, io->write_bytes);
}

void ProcessUsage::measure_pss(ProcessDirectory& process, TreeUsage& usage) {
  const auto text = process.read("smaps_rollup");
  if (!text) {
    if (errno == EACCES || errno == EPERM) {
      usage.proportional_bytes.reset();
      return;
    }
    return note_error();
  }
  if (usage.proportional_bytes) *usage.proportional_bytes += parse_smaps_rollup_pss(*text).value_or(0);
}

void ProcessUsage::settle_missing(TreeUsage& usage) {
  for (auto it = known_.begin(); it != known_.end();) {
    auto& [id, known] = *it;
    if (known.last_seen == sequence_) {
      ++it;
      continue;
    }
    // A zombie still holds its totals; its parent gets them when it waits.
    const auto stat = still_there(id);
    if (!stat && is_shortage(errno)) {  // It cannot be told now.
      ++it;
      continue;
    }
    if (stat) {
      if (stat->state == 'Z') add_gauges(*stat, usage);
      count_stat(*stat, known);
      ++it;
      continue;
    }
    for (std::size_t i = 0; i < kQuantities; ++i) {
      counters_[i].debit(known.tallies[i].own + known.tallies[i].children);
    }
    it = known_.erase(it);
  }
}

/// nullopt with errno, 0 if it is gone for certain.
std::optional<ProcStat> ProcessUsage::still_there(const ProcessId& id) {
  ProcessDirectory process(root_.get(), id.pid);
  if (!process) return std::nullopt;
  const auto text = process.read("stat");
  if (!text) return std::nullopt;
  errno = 0;
  auto stat = parse_proc_stat(*text);
  if (!stat || stat->start_ticks != id.start_ticks || stat->state == 'X') return std::nullopt;
  return stat;
}

CpuTime ProcessUsage::cpu_of_proc() const {
  return {static_cast<double>(counters_[kUser].total()) * 1e-6,
          static_cast<double>(counters_[kSystem].total()) * 1e-6};
}

CpuTime ProcessUsage::cpu(bool running, const std::optional<CpuTime>& cgroup_cpu) {
  if (cpu_source_ == CpuSource::kUndecided && running) {
    cpu_source_ = cgroup_cpu ? CpuSource::kCgroup : CpuSource::kProc;
    // The cgroup knows what was reaped before, too: go on from the larger of both.
    if (cgroup_cpu) {
      cgroup_last_ = {std::min(cpu_published_.user_seconds, cgroup_cpu->user_seconds),
                      std::min(cpu_published_.system_seconds, cgroup_cpu->system_seconds)};
    }
  }
  if (cpu_source_ != CpuSource::kCgroup) {
    cpu_published_ = cpu_of_proc();
  } else if (cgroup_cpu) {
    advance(cpu_published_.user_seconds, cgroup_last_.user_seconds, cgroup_cpu->user_seconds);
    advance(cpu_published_.system_seconds, cgroup_last_.system_seconds, cgroup_cpu->system_seconds);
    cgroup_last_ = *cgroup_cpu;
  }
  return cpu_published_;
}

void ProcessUsage::note_error() {
  if (errno != ENOENT && errno != ESRCH) ++read_errors_;
}

}  // namespace codex
