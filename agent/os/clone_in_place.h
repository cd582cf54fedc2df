#pragma once

#include <linux/sched.h>

namespace codex {

/// A system call for a child that shares our memory: leaves errno alone, which is that of the thread it came
/// from. Returns -errno if it fails. Pointers are passed as long.
long raw_syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0);

/// Whether clone_in_place() shares our memory; elsewhere the child gets a copy of it, as from fork(2).
#if defined(__x86_64__)
inline constexpr bool kSharesMemory = true;
#else
inline constexpr bool kSharesMemory = false;
#endif

/// clone3(2): a child that runs `function(argument)`, which must not return, on the stack in `args`, in our
/// memory (CLONE_VM) but at the same time as we do: the caller does not wait as after vfork(2), and nothing
/// is copied that exec would throw away. The child may use raw_syscall() and nothing that takes a lock, uses
/// errno or allocates. Returns the child's pid, or -errno.
long clone_in_place(clone_args args, void (*function)(void*), void* argument);

/// The same by clone(2), which a seccomp filter can look into and so permits where it refuses clone3(2). Of
/// `args.flags` it knows CLONE_PIDFD and CLONE_CHILD_CLEARTID; CLONE_INTO_CGROUP is left out.
long clone_in_place_without_clone3(const clone_args& args, void (*function)(void*), void* argument);

}  // namespace codex
