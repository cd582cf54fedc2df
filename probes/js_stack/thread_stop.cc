#include "probes/js_stack/thread_stop.h"

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <thread>
#include <vector>

#include "agent/os/clock.h"

namespace codex {

namespace {

constexpr auto kPoll = std::chrono::microseconds(20);

std::vector<std::string_view> fields_of(std::string_view text) {
  std::vector<std::string_view> fields;
  while (!text.empty() && fields.size() < 16) {
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    if (end > 0) fields.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return fields;
}

std::optional<std::uint64_t> hex(std::string_view text) {
  if (!text.starts_with("0x")) return std::nullopt;
  text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

#if defined(__x86_64__)

ThreadStop::Result failure() {
  return errno == ESRCH ? ThreadStop::Result::kGone : ThreadStop::Result::kNotPermitted;
}

/// Waits for its stop. Without WEXITED: a death is left to whoever waits for it. `began`: no later than the
/// stop.
ThreadStop::Result await_stop(pid_t thread, Clock::time_point deadline, Clock::time_point& began) {
  for (;;) {
    const auto now = Clock::now();
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(thread), &info, WSTOPPED | WNOHANG | __WALL) != 0) {
      if (errno != EINTR) return ThreadStop::Result::kGone;
    } else if (info.si_pid == thread) {
      return ThreadStop::Result::kDone;
    }
    if (now >= deadline) return ThreadStop::Result::kTooSlow;
    began = now;
    std::this_thread::sleep_for(kPoll);
  }
}

ThreadRegisters in_order(const user_regs_struct& r) {
  return {r.rsp,
          r.rip,
          r.rbp,
          {{r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13,
            r.r14, r.r15, r.rip}}};
}

ThreadStop trace(pid_t thread, std::chrono::nanoseconds patience,
                 const std::function<void(const ThreadRegisters&)>& look) {
  // While it is stopped, we should not wait for a processor. Only for root; others do without.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), -20);
  if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) return {failure(), {}};
  auto began = Clock::now();
  if (::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0) return {failure(), {}};
  auto result = await_stop(thread, began + patience, began);
  user_regs_struct registers{};
  if (result == ThreadStop::Result::kDone && ::ptrace(PTRACE_GETREGS, thread, nullptr, &registers) != 0)
    result = failure();
  if (result == ThreadStop::Result::kDone) look(in_order(registers));
  ::ptrace(PTRACE_DETACH, thread, nullptr,
           nullptr);  // whatever it says: the end of this thread releases, too
  return {result, Clock::now() - began};
}

#endif

}  // namespace

std::optional<ProcSyscall> parse_proc_syscall(std::string_view text) {
  const auto fields = fields_of(text);
  if (fields.size() == 1 && fields[0] == "running") return ProcSyscall{true, false, {}};
  if (fields.size() < 3) return std::nullopt;
  const auto stack = hex(fields[fields.size() - 2]), program = hex(fields.back());
  if (!stack || !program) return std::nullopt;
  return ProcSyscall{false, fields[0] != "-1", {*stack, *program, std::nullopt, std::nullopt}};
}

ThreadStop stop_thread(pid_t thread, std::chrono::nanoseconds patience,
                       const std::function<void(const ThreadRegisters&)>& look) {
#if defined(__x86_64__)
  ThreadStop stop;
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      stop = trace(thread, patience, look);
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
  return stop;
#else
  static_cast<void>(thread), static_cast<void>(patience), static_cast<void>(look);
  return {};
#endif
}

}  // namespace codex
