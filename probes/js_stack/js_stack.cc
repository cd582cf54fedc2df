#include "probes/js_stack/js_stack.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "agent/os/files.h"
#include "agent/os/kernel_clock.h"
#include "agent/os/unique_fd.h"
#include "probes/js_stack/process_memory.h"
#include "probes/js_stack/thread_stop.h"

namespace codex {

namespace {

constexpr std::size_t kMaxMapsText = 4 << 20;
constexpr std::size_t kMaxStack = 2 << 20;  // V8 itself keeps to 1 MiB by default
constexpr std::size_t kMaxReads = 20'000, kMaxBytes = 8 << 20;
constexpr auto kMaxStop = std::chrono::milliseconds(3);
constexpr auto kStopPatience = std::chrono::milliseconds(100);
constexpr auto kMaxCpu = std::chrono::milliseconds(20);

/// Field 28 of /proc/PID/stat, counted after the last ')'.
std::uint64_t stack_bottom(std::string_view stat) {
  stat.remove_prefix(std::min(stat.rfind(')'), stat.size()));
  for (int field = 2; field < 28; ++field) {
    const auto space = stat.find(' ');
    if (space == std::string_view::npos) return 0;
    stat.remove_prefix(space + 1);
  }
  std::uint64_t value = 0;
  std::from_chars(stat.data(), stat.data() + stat.size(), value);
  return value;
}

/// CPU time that this thread has used since the clock was made.
class CpuClock {
 public:
  [[nodiscard]] Duration used() const { return read_kernel_clock(CLOCK_THREAD_CPUTIME_ID) - begin_; }

 private:
  Duration begin_ = read_kernel_clock(CLOCK_THREAD_CPUTIME_ID);
};

JsStackError error_of(int error) {
  return error == EACCES || error == EPERM ? JsStackError::kNotPermitted : JsStackError::kGone;
}

JsStackError error_of(V8MetadataResult::Error error) {
  switch (error) {
    case V8MetadataResult::Error::kNone:
      return JsStackError::kNone;
    case V8MetadataResult::Error::kNotV8:
      return JsStackError::kNotNode;
    case V8MetadataResult::Error::kStripped:
      return JsStackError::kStripped;
    case V8MetadataResult::Error::kUnsupportedArchitecture:
      return JsStackError::kUnsupportedArchitecture;
    case V8MetadataResult::Error::kUnsupportedVersion:
      return JsStackError::kUnsupportedVersion;
  }
  return JsStackError::kUnreadable;
}

JsStackError error_of(ThreadStop::Result result) {
  switch (result) {
    case ThreadStop::Result::kDone:
      return JsStackError::kNone;
    case ThreadStop::Result::kGone:
      return JsStackError::kGone;
    case ThreadStop::Result::kNotPermitted:
      return JsStackError::kNotPermitted;
    case ThreadStop::Result::kTooSlow:
      return JsStackError::kTooSlow;
    case ThreadStop::Result::kUnsupported:
      return JsStackError::kUnsupportedArchitecture;
  }
  return JsStackError::kUnreadable;
}

/// One attempt on one process: everything that belongs together while its memory is looked at.
class StackReading {
 public:
  StackReading(int process_fd, pid_t pid, const MemoryMaps& maps, const V8Programs::Program& program,
               std::uint64_t bottom)
      : process_fd_(process_fd),
        pid_(pid),
        maps_(maps),
        metadata_(*program.result.metadata),
        memory_(process_fd, maps, program.inode),
        bottom_(bottom) {}

  void run(JsStack& result) {
    if (!memory_) {
      result.error = error_of(errno);
      return;
    }
    result.error = look_or_stop(result);
    if (result.error != JsStackError::kNone) return;
    auto reader = reader_until([this] { return cpu_.used() >= kMaxCpu; });
    V8Heap heap(metadata_, reader);
    if (!finished_) find(heap);
    result.complete = found_.complete;
    result.truncated = found_.truncated || reader.exhausted();
    result.frames = with_lines(heap, std::move(found_.frames));
    count(reader);
    result.reads = reads_;
    result.bytes = bytes_;
    if (!result.frames.empty() || result.complete) return;
    result.error = read_proc_file(process_fd_, "stat") ? JsStackError::kUnreadable : JsStackError::kGone;
  }

 private:
  /// A thread that waits is looked at where it is; if it moved on meanwhile, or runs, it is held.
  JsStackError look_or_stop(JsStack& result) {
    const auto text = read_proc_file(process_fd_, "syscall");
    if (!text) return error_of(errno);
    const auto before = parse_proc_syscall(*text);
    if (!before) return JsStackError::kUnreadable;
    if (!before->running) {
      in_kernel_ = before->in_kernel;
      look(before->registers, [this] { return cpu_.used() >= kMaxCpu; });
      if (read_proc_file(process_fd_, "syscall") == text) return JsStackError::kNone;
    }
    const auto stop = stop_thread(pid_, kStopPatience, [this](const ThreadRegisters& registers) {
      // Signals and ptrace go by number; the directory is of the process that we mean.
      if (!read_proc_file(process_fd_, "stat")) return;
      in_kernel_ = false;
      const auto deadline = Clock::now() + kMaxStop;
      look(registers, [deadline] { return Clock::now() >= deadline; });
    });
    result.stopped = stop.stopped;
    return error_of(stop.result);
  }

  void look(const ThreadRegisters& registers, std::function<bool()> out_of_time) {
    auto reader = reader_until(std::move(out_of_time));
    registers_ = registers;
    copy_stack(reader);
    V8Heap heap(metadata_, reader);
    find(heap);
    finished_ = !reader.exhausted();
    count(reader);
  }

  void copy_stack(MemoryReader& reader) {
    const auto begin = registers_.stack_pointer & ~std::uint64_t{7};
    const auto* mapping = maps_.find(begin);
    words_.clear();
    if (mapping) {
      const auto end = bottom_ > begin && bottom_ < mapping->end ? bottom_ & ~std::uint64_t{7} : mapping->end;
      words_.resize(std::min<std::uint64_t>(end - begin, kMaxStack) / 8);
      words_.resize(reader.read(begin, std::as_writable_bytes(std::span(words_))) / 8);
    }
    stack_ = {begin, words_, bottom_};
  }

  void find(V8Heap& heap) {
    found_ = find_js_frames(
        heap, stack_, registers_.frame_pointer,
        [this](std::uint64_t address) { return maps_.code_at(address); }, !in_kernel_);
  }

  BoundedReader reader_until(std::function<bool()> out_of_time) {
    return {memory_,
            {kMaxReads - std::min(reads_, kMaxReads), kMaxBytes - std::min(bytes_, kMaxBytes),
             std::move(out_of_time)}};
  }
  void count(const BoundedReader& reader) {
    reads_ += reader.reads();
    bytes_ += reader.bytes();
  }

  const int process_fd_;
  const pid_t pid_;
  const MemoryMaps& maps_;
  const V8Metadata& metadata_;
  ProcessMemory memory_;
  const std::uint64_t bottom_;
  const CpuClock cpu_;
  ThreadRegisters registers_;
  bool in_kernel_ = false;
  std::vector<std::uint64_t> words_;
  StackImage stack_;
  FoundFrames found_;
  bool finished_ = false;  // found_ is all there is, not what a limit left
  std::size_t reads_ = 0, bytes_ = 0;
};

/// Signals go by number: a process that /proc does not show may live all the same.
bool lives(pid_t pid) {
  return ::kill(pid, 0) == 0 || errno == EPERM;
}

void explain_unseen(pid_t pid, int error, JsStack& result) {
  result.error = error_of(error);
  if (error != ENOENT || !lives(pid)) return;
  result.error = JsStackError::kNotPermitted;
  result.detail = "/proc hides it from this user (hidepid)";
}

void read_process(pid_t pid, V8Programs& programs, JsStack& result) {
  const UniqueFd process(::open(("/proc/" + std::to_string(pid)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto stat = process ? read_proc_file(process.get(), "stat") : std::nullopt;
  if (!stat) {
    explain_unseen(pid, errno, result);
    return;
  }
  const auto maps_text = read_proc_file(process.get(), "maps", kMaxMapsText);
  if (!maps_text) {
    result.error = error_of(errno);
    return;
  }
  const MemoryMaps maps(*maps_text);
  if (maps.all().empty()) {
    result.error = JsStackError::kGone;  // a zombie, or no program at all
    return;
  }
  const auto* program = programs.find(process.get(), maps);
  if (!program) {
    result.error = error_of(errno);
    return;
  }
  result.error = error_of(program->result.error);
  result.detail = program->result.detail;
  if (!program->result.metadata) return;
  result.v8_version = program->result.metadata->version;
  StackReading(process.get(), pid, maps, *program, stack_bottom(*stat)).run(result);
}

}  // namespace

std::string_view name_of(JsStackError error) {
  switch (error) {
    case JsStackError::kNone:
      return "none";
    case JsStackError::kGone:
      return "gone";
    case JsStackError::kNotPermitted:
      return "not_permitted";
    case JsStackError::kNotNode:
      return "not_node";
    case JsStackError::kStripped:
      return "stripped";
    case JsStackError::kUnsupportedArchitecture:
      return "unsupported_architecture";
    case JsStackError::kUnsupportedVersion:
      return "unsupported_version";
    case JsStackError::kTooSlow:
      return "too_slow";
    case JsStackError::kUnreadable:
      return "unreadable";
  }
  return "unreadable";
}

JsStack JsStackReader::read(pid_t pid) {
  const auto begin = Clock::now();
  JsStack result;
  if (pid > 0) {
    read_process(pid, programs_, result);
  } else {
    result.error = JsStackError::kGone;
  }
  result.elapsed = Clock::now() - begin;
  return result;
}

JsStack read_js_stack(pid_t pid) {
  return JsStackReader().read(pid);
}

}  // namespace codex
