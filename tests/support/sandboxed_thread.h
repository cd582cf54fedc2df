#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace codex {

/// A system call that a sandbox answers by itself.
struct RefusedCall {
  long number;  ///< SYS_...
  int error;
  std::optional<std::uint32_t> third_argument{};  ///< refused only with it
};

/// Runs `body` on a thread of its own under a seccomp(2) filter, and waits for it. The filter ends with the
/// thread; processes that it starts keep it.
void run_sandboxed(const std::vector<RefusedCall>& refused, const std::function<void()>& body);

}  // namespace codex
