#include "agent/os/signal_name.h"

#include <cstring>

namespace codex {

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return "SIG" + (name != nullptr ? std::string(name) : std::to_string(signal));
}

}  // namespace codex
