#pragma once

#include <sys/types.h>

#include "agent/os/clock.h"

namespace codex {

/// What one of the kernel's clocks shows, such as CLOCK_BOOTTIME or CLOCK_THREAD_CPUTIME_ID
/// (clock_gettime(2)). Any thread.
Duration read_kernel_clock(clockid_t clock);

}  // namespace codex
