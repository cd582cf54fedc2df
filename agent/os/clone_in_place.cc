#include "agent/os/clone_in_place.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace codex {

#if defined(__x86_64__)

long raw_syscall(long number, long a, long b, long c, long d) {
  long result = number;
  register long fourth asm("r10") = d;
  asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
  return result;
}

namespace {

/// SYS_clone3 or SYS_clone with its arguments.
long start(long number, long a, long b, long c, long d, void (*function)(void*), void* argument) {
  long result = number;
  register long fourth asm("r10") = d;
  // The child begins on another stack: what it needs must be in registers, and it can never return from here.
  register void (*child_function)(void*) asm("r12") = function;
  register void* child_argument asm("r13") = argument;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"  // the outermost frame (System V ABI)
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(child_function), "r"(child_argument)
      : "rcx", "r11", "memory");
  return result;
}

}  // namespace

long clone_in_place(clone_args args, void (*function)(void*), void* argument) {
  args.flags |= CLONE_VM;
  return start(SYS_clone3, reinterpret_cast<long>(&args), sizeof args, 0, 0, function, argument);
}

long clone_in_place_without_clone3(const clone_args& args, void (*function)(void*), void* argument) {
  const auto number = [](std::uint64_t value) { return static_cast<long>(value); };
  return start(SYS_clone, number((args.flags & ~CLONE_INTO_CGROUP) | CLONE_VM | args.exit_signal),
               number(args.stack + args.stack_size), number(args.pidfd), number(args.child_tid), function,
               argument);
}

#else

long raw_syscall(long number, long a, long b, long c, long d) {
  const long result = ::syscall(number, a, b, c, d);
  return result < 0 ? -errno : result;
}

namespace {

long run_in_child(long pid, void (*function)(void*), void* argument) {
  if (pid == 0) {
    function(argument);
    __builtin_trap();
  }
  return pid;
}

}  // namespace

long clone_in_place(clone_args args, void (*function)(void*), void* argument) {
  args.stack = args.stack_size = 0;
  return run_in_child(raw_syscall(SYS_clone3, reinterpret_cast<long>(&args), sizeof args), function,
                      argument);
}

long clone_in_place_without_clone3(const clone_args& args, void (*function)(void*), void* argument) {
  // Where the last two arguments are depends on the architecture; what is not shared is not cleared anyway.
  const auto flags = (args.flags & ~(CLONE_INTO_CGROUP | CLONE_CHILD_CLEARTID)) | args.exit_signal;
  return run_in_child(raw_syscall(SYS_clone, static_cast<long>(flags), 0, static_cast<long>(args.pidfd)),
                      function, argument);
}

#endif

}  // namespace codex
