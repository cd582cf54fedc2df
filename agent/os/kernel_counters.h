#pragma once

#include <cstdint>
#include <string_view>

namespace codex {

/// How many processes the kernel's out-of-memory killer has ended since boot: `oom_kill` of /proc/vmstat
/// (Linux 4.13, mm/oom_kill.c). 0 if it cannot be read. Costs about 50 us.
std::uint64_t kernel_oom_kills();

/// Value of `name` in the text of /proc/vmstat; 0 without it.
std::uint64_t parse_vmstat(std::string_view text, std::string_view name);

}  // namespace codex
