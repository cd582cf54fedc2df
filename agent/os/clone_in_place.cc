#include "agent/os/clone_in_place.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace codex {

#if defined(__x86_64__)

long raw_syscall(long number, long a, long b, long c, long d) {
  long result = number;
  register long fourth asm("r10") = d;
  asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
  return result;
}

long clone_in_place(clone_args args, void (*function)(void*), void* argument) {
  args.flags |= CLONE_VM;
  long result = SYS_clone3;
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
      : "D"(&args), "S"(sizeof args), "r"(child_function), "r"(child_argument)
      : "rcx", "r11", "memory");
  return result;
}

#else

long raw_syscall(long number, long a, long b, long c, long d) {
  const long result = ::syscall(number, a, b, c, d);
  return result < 0 ? -errno : result;
}

long clone_in_place(clone_args args, void (*function)(void*), void* argument) {
  args.stack = args.stack_size = 0;
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) {
    function(argument);
    __builtin_trap();
  }
  return pid < 0 ? -errno : pid;
}

#endif

}  // namespace codex
