#pragma once

#include <string>

namespace codex {

/// "SIGTERM", or "SIG40" for a signal that has no name (sigabbrev_np(3)). Any thread.
std::string signal_name(int signal);

}  // namespace codex
