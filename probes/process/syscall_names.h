#pragma once

#include <string>

#include "probes/process/thread_view.h"

namespace codex {

/// What kind of wait a system call of this machine is.
WaitKind wait_kind_of(int syscall);

/// "openat", or "syscall 437" for those that nobody blocks in.
std::string syscall_name(int syscall);

/// Where a thread sleeps: "openat (wait_for_partner)".
std::string describe_wait(const ThreadView& thread);

}  // namespace codex
