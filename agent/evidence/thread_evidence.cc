#include "agent/evidence/thread_evidence.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/os/files.h"
#include "agent/os/process_table.h"
#include "agent/os/unique_fd.h"
#include "probes/process/process_directory.h"
#include "probes/process/syscall_names.h"
#include "probes/process/thread_files.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostThreads = 256, kMostStackLines = 32, kLongestPath = 256;
constexpr double kNanosPerSecond = 1e9;

enum class Argument { kDescriptor, kPath, kPathAt, kProcess };

struct Signature {
  int number;
  Argument first;
};

// Calls whose first argument (second for kPathAt) says what they wait for.
constexpr Signature kSignatures[] = {
#ifdef SYS_open
    {SYS_open, Argument::kPath},
    {SYS_stat, Argument::kPath},
    {SYS_unlink, Argument::kPath},
    {SYS_mkdir, Argument::kPath},
    {SYS_epoll_wait, Argument::kDescriptor},
#endif
    {SYS_openat, Argument::kPathAt},
    {SYS_statx, Argument::kPathAt},
    {SYS_newfstatat, Argument::kPathAt},
    {SYS_unlinkat, Argument::kPathAt},
    {SYS_execve, Argument::kPath},
    {SYS_read, Argument::kDescriptor},
    {SYS_readv, Argument::kDescriptor},
    {SYS_pread64, Argument::kDescriptor},
    {SYS_write, Argument::kDescriptor},
    {SYS_writev, Argument::kDescriptor},
    {SYS_pwrite64, Argument::kDescriptor},
    {SYS_close, Argument::kDescriptor},
    {SYS_fsync, Argument::kDescriptor},
    {SYS_fdatasync, Argument::kDescriptor},
    {SYS_ftruncate, Argument::kDescriptor},
    {SYS_flock, Argument::kDescriptor},
    {SYS_fcntl, Argument::kDescriptor},
    {SYS_ioctl, Argument::kDescriptor},
    {SYS_connect, Argument::kDescriptor},
    {SYS_accept4, Argument::kDescriptor},
    {SYS_recvfrom, Argument::kDescriptor},
    {SYS_recvmsg, Argument::kDescriptor},
    {SYS_sendto, Argument::kDescriptor},
    {SYS_sendmsg, Argument::kDescriptor},
    {SYS_epoll_pwait, Argument::kDescriptor},
    {SYS_getdents64, Argument::kDescriptor},
    {SYS_wait4, Argument::kProcess},
};

std::string quoted_path(const CallContext& context, std::uint64_t address) {
  const std::string path = context.path(address);
  return path.empty() ? "" : "\"" + path + "\"";
}

/// "812: sleep 100", "812"
std::string numbered(long number, const std::string& what) {
  return std::to_string(number) + (what.empty() ? "" : ": " + what);
}

std::string describe_argument(const PendingCall& call, Argument kind, const CallContext& context) {
  switch (kind) {
    case Argument::kDescriptor: {
      const int fd = static_cast<int>(call.arguments[0]);
      return numbered(fd, context.descriptor(fd));
    }
    case Argument::kPath:
      return quoted_path(context, call.arguments[0]);
    case Argument::kPathAt:
      return quoted_path(context, call.arguments[1]);
    case Argument::kProcess: {
      const auto pid = static_cast<pid_t>(call.arguments[0]);
      return pid > 0 ? numbered(pid, context.process(pid)) : "any child";
    }
  }
  return "";
}

/// A NUL-terminated text in another process; "" if it may not be read or is none.
std::string text_at(int memory, std::uint64_t address) {
  std::array<char, kLongestPath> buffer;
  const ssize_t n = ::pread(memory, buffer.data(), buffer.size(), static_cast<off_t>(address));
  if (n <= 0) return "";
  const std::string_view text(buffer.data(), static_cast<std::size_t>(n));
  return std::string(text.substr(0, text.find('\0')));
}

Json kernel_stack_of(const std::string& directory) {
  const auto text = read_proc_file(AT_FDCWD, (directory + "/stack").c_str());
  if (!text) return nullptr;
  Json lines = Json::array();
  std::istringstream stream(*text);
  for (std::string line; std::getline(stream, line) && lines.size() < kMostStackLines;) {
    const auto name = line.find("] ");  // "[<0>] do_epoll_wait+0x5f2/0x7c0"
    lines.push_back(name == std::string::npos ? line : line.substr(name + 2));
  }
  return lines;
}

}  // namespace

std::optional<PendingCall> parse_pending_call(std::string_view text) {
  PendingCall call;
  const auto first = std::from_chars(text.data(), text.data() + text.size(), call.number);
  if (first.ec != std::errc() || call.number < 0) return std::nullopt;
  const char* at = first.ptr;
  const char* const end = text.data() + text.size();
  for (int i = 0; i < 6; ++i) {
    constexpr std::string_view kPrefix = " 0x";
    if (!std::string_view(at, static_cast<std::size_t>(end - at)).starts_with(kPrefix)) return std::nullopt;
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(at + kPrefix.size(), end, value, 16);
    if (parsed.ec != std::errc()) return std::nullopt;
    call.arguments.push_back(value);
    at = parsed.ptr;
  }
  return call;
}

std::string describe_call(const PendingCall& call, const CallContext& context) {
  std::string text = syscall_name(call.number);
  const auto known =
      std::find_if(std::begin(kSignatures), std::end(kSignatures),
                   [&](const Signature& signature) { return signature.number == call.number; });
  if (known == std::end(kSignatures)) return text;
  return text + "(" + describe_argument(call, known->first, context) + ")";
}

Json threads_of(pid_t pid, const Descriptors& descriptors, const SocketEvidence& sockets,
                const Redactor& redactor) {
  Json threads = Json::array();
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  ProcessDirectory process(proc.get(), pid);
  if (!process) return threads;
  const UniqueFd memory = process.open("mem");
  const CallContext context{
      [&](int fd) {
        const auto found = descriptors.find(fd);
        return found == descriptors.end() ? "" : describe_descriptor(found->second, sockets, redactor);
      },
      [&](std::uint64_t address) { return memory ? redactor.safe(text_at(memory.get(), address)) : ""; },
      [&](pid_t child) {
        const auto described = describe_process(child);
        return described ? redactor.safe(described->command) : "";
      }};
  for (const pid_t id : process.threads()) {
    if (threads.size() == kMostThreads) break;
    const std::string directory = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(id);
    ThreadView view;
    if (!ThreadFiles(process, id).look(view)) continue;
    const auto name = read_proc_file(AT_FDCWD, (directory + "/comm").c_str());
    const auto pending = read_proc_file(AT_FDCWD, (directory + "/syscall").c_str());
    const auto call = pending ? parse_pending_call(*pending) : std::nullopt;
    threads.push_back(
        {{"id", id},
         {"name", redactor.safe(name ? name->substr(0, name->find('\n')) : "", 64)},
         {"state", std::string(1, view.state)},
         {"call", call ? Json(describe_call(*call, context)) : Json(nullptr)},
         {"kernel_function", view.wchan.empty() ? Json(nullptr) : Json(redactor.safe(view.wchan, 128))},
         {"cpu_seconds", static_cast<double>(view.cpu_nanos) / kNanosPerSecond},
         {"kernel_stack", kernel_stack_of(directory)}});
  }
  return threads;
}

}  // namespace codex
