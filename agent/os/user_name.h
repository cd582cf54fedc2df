#pragma once

#include <sys/types.h>

#include <string>

namespace codex {

/// Login name of `uid`, or its digits where it has none (getpwuid_r(3)). May ask a name service: for messages
/// only.
std::string user_name(uid_t uid);

}  // namespace codex
