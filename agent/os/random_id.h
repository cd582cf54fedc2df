#pragma once

#include <string>

namespace codex {

/// Another one for every boot of the machine (/proc/sys/kernel/random/boot_id, random(4)); "" where it is not to be
/// had. Throws std::system_error for want of descriptors.
std::string boot_id();

/// 128 bits from the kernel as 32 hexadecimal digits (getrandom(2)). Throws std::system_error.
std::string random_id();

}  // namespace codex
