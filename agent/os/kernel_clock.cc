#include "agent/os/kernel_clock.h"

#include <ctime>

namespace codex {

Duration read_kernel_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace codex
