#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace codex {

/// As DWARF numbers them on x86-64 (psABI figure 3.36): rax rdx rcx rbx rsi rdi rbp rsp r8-r15, then rip.
constexpr std::size_t kDwarfRegisters = 17;

/// Where a thread is. The frame pointer and the rest are known only of a thread that was stopped for it.
struct ThreadRegisters {
  std::uint64_t stack_pointer = 0, program_counter = 0;
  std::optional<std::uint64_t> frame_pointer;
  std::optional<std::array<std::uint64_t, kDwarfRegisters>> dwarf;
};

/// /proc/PID/syscall (proc_pid_syscall(5)): registers of a thread that waits in the kernel or is stopped.
struct ProcSyscall {
  bool running = false;    ///< on a processor or waiting for one; then there are no registers
  bool in_kernel = false;  ///< in a system call; else it was stopped while it ran
  ThreadRegisters registers;
};
std::optional<ProcSyscall> parse_proc_syscall(std::string_view text);

/// Outcome of stop_thread().
struct ThreadStop {
  enum class Result { kDone, kGone, kNotPermitted, kTooSlow, kUnsupported };
  Result result = Result::kUnsupported;
  std::chrono::nanoseconds stopped{};  ///< how long the thread did not run
};

/// Stops a running thread with ptrace(2) for as long as `look` runs, which should be well below 5 ms, and
/// lets it go on. No signal is sent; the thread cannot notice. A wait in the kernel that it happens to begin
/// at this moment is restarted, as after SIGCONT (signal(7)).
///
/// The thread goes on whatever happens here: all is done by a thread made for it, and the kernel releases
/// what that one traces when it ends, also when this process is killed, also when the thread did not stop in
/// time (kTooSlow, after `patience`: a starved thread or one that just began an uninterruptible wait). No
/// child's exit is reaped. Not for threads that are stopped already. `look` runs on that thread.
ThreadStop stop_thread(pid_t thread, std::chrono::nanoseconds patience,
                       const std::function<void(const ThreadRegisters&)>& look);

}  // namespace codex
