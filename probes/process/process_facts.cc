#include "probes/process/process_facts.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>

#include "agent/os/check.h"
#include "agent/os/files.h"
#include "agent/os/proc_files.h"
#include "probes/process/thread_files.h"

namespace codex {

namespace {

constexpr std::size_t kMostThreads = 256;
constexpr int kLooksPerLimit = 20;
constexpr int kDefaultPoolSize = 4;  // libuv's
constexpr std::uint64_t kMebibyte = 1 << 20;
constexpr std::uint64_t kDefaultHeapLimit = 4096 * kMebibyte;

template <typename Int>
std::optional<Int> number_after(std::string_view text, std::string_view key) {
  if (!text.starts_with(key)) return std::nullopt;
  text.remove_prefix(key.size());
  Int value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

void apply_option(std::string_view option, NodeSettings& settings) {
  if (option.starts_with("--inspect")) settings.inspector = true;
  for (const auto* key : {"--max-old-space-size=", "--max_old_space_size="}) {
    if (const auto mebibytes = number_after<std::uint32_t>(option, key); mebibytes && *mebibytes > 0)
      settings.heap_limit_bytes = *mebibytes * kMebibyte;
  }
}

/// Calls `visit` with the pieces of `text` between separators.
template <typename Visit>
void split(std::string_view text, char separator, Visit&& visit) {
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Of a line of /proc/PID/status.
std::uint64_t number_behind_key(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return number_after<std::uint64_t>(text, "").value_or(0);
}

std::uint64_t memory_of_host() {
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto size = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size) : 0;
}

}  // namespace

NodeSettings parse_node_settings(std::string_view cmdline, std::string_view environ_text,
                                 std::uint64_t memory_bytes) {
  NodeSettings settings;
  const auto program = cmdline.substr(0, std::min(cmdline.find('\0'), cmdline.size()));
  const auto name = program.substr(program.rfind('/') == std::string_view::npos ? 0 : program.rfind('/') + 1);
  const bool node = name.starts_with("node");
  if (node) settings.heap_limit_bytes = std::min(memory_bytes / 4, kDefaultHeapLimit);
  if (node) settings.pool_size = kDefaultPoolSize;
  if (const auto options = find_in_environ(environ_text, "NODE_OPTIONS"))
    split(*options, ' ', [&settings](std::string_view option) { apply_option(option, settings); });
  bool first = true, script = false;
  split(cmdline, '\0', [&](std::string_view option) {
    // What comes behind the script is the program's own.
    if (!first && !option.starts_with('-')) script = true;
    if (!first && !script) apply_option(option, settings);
    first = false;
  });
  if (const auto size = find_in_environ(environ_text, "UV_THREADPOOL_SIZE"); size && settings.pool_size > 0)
    settings.pool_size = std::clamp(number_after<int>(*size, "").value_or(4), 1, 1024);
  return settings;
}

ProcessFacts::ProcessFacts(pid_t pid) : pid_(pid) {
  const auto read = [directory = "/proc/" + std::to_string(pid) + "/"](const char* name) {
    const auto text = read_proc_file(AT_FDCWD, (directory + name).c_str());
    if (!text) throw_if_short("open a file of /proc/PID");
    return text.value_or("");
  };
  settings_ = parse_node_settings(read("cmdline"), read("environ"), memory_of_host());
  const UniqueFd proc(check("open /proc", ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)));
  fd_size_is_count_ = ProcessDirectory::fd_size_is_count(proc.get());
}

void ProcessFacts::look(ProcessDirectory& process, ProcessView& view) {
  if (const auto status = process.read("status")) {
    const auto tracer = static_cast<pid_t>(number_behind_key(*status, "TracerPid:"));
    view.tracer = tracer == ::getpid() ? 0 : tracer;
    view.threads = static_cast<int>(number_behind_key(*status, "Threads:"));
    view.resident_bytes = number_behind_key(*status, "VmRSS:") * 1024;
  }
  if (const auto children = process.read(("task/" + std::to_string(pid_) + "/children").c_str()))
    view.children = static_cast<int>(std::count(children->begin(), children->end(), ' '));
  if (looks_++ % kLooksPerLimit == 0) {
    if (const auto limits = process.read("limits")) fd_limit_ = parse_open_files_limit(*limits).value_or(0);
  }
  view.open_fds = process.count_fds(fd_size_is_count_).value_or(0);
  view.fd_limit = fd_limit_;
  view.heap_limit_bytes = settings_.heap_limit_bytes;
  view.pool_size = settings_.pool_size;
}

bool ProcessFacts::sits(ProcessDirectory& process, pid_t tid, TimePoint now, ProcessView& view) {
  const auto directory = "task/" + std::to_string(tid) + "/";
  ThreadView thread;
  if (const auto text = process.read((directory + "schedstat").c_str()))
    parse_thread_schedstat(*text, thread);
  view.other_threads_cpu_nanos += thread.cpu_nanos;
  std::string call;
  if (const auto text = process.read((directory + "syscall").c_str())) {
    parse_thread_syscall(*text, thread);
    call = *text;
  }
  const auto [it, is_new] = workers_.try_emplace(tid);
  auto& worker = it->second;
  worker.seen = true;
  // Locks and event waits are how a thread idles.
  const bool idles = thread.waits_in == WaitKind::kNone || thread.waits_in == WaitKind::kFutex ||
                     thread.waits_in == WaitKind::kEpoll || thread.waits_in == WaitKind::kPoll;
  if (is_new || idles || call != worker.call || thread.cpu_nanos != worker.cpu_nanos) worker.since = now;
  worker.call = call;
  worker.cpu_nanos = thread.cpu_nanos;
  return !idles && now > worker.since;
}

void ProcessFacts::look_at_threads(ProcessDirectory& process, TimePoint now, ProcessView& view) {
  view.threads_known = true;
  for (auto& [tid, worker] : workers_) worker.seen = false;
  auto threads = process.threads();
  if (threads.size() > kMostThreads) threads.resize(kMostThreads);
  std::optional<TimePoint> latest;
  for (const pid_t tid : threads) {
    if (tid == pid_ || !sits(process, tid, now, view)) continue;
    ++view.stuck_workers;
    const auto since = workers_[tid].since;
    if (!latest || since > *latest) latest = since;
  }
  if (latest) view.workers_stuck_for = now - *latest;
  std::erase_if(workers_, [](const auto& entry) { return !entry.second.seen; });
}

}  // namespace codex
