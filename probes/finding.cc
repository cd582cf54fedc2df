#include "probes/finding.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>

#include "agent/os/check.h"
#include "agent/os/unique_fd.h"

namespace codex {

Finding judge_errno(int error) {
  const char* description = ::strerrordesc_np(error);
  const std::string text = description != nullptr ? description : "error " + std::to_string(error);
  switch (error) {
    case ECONNREFUSED:
      return {Outcome::kFailure, Reason::kRefused, "connection refused"};
    case ENOENT:
    case EACCES:
    case EPERM:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      return {Outcome::kFailure, Reason::kRefused, text};
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
      return {Outcome::kFailure, Reason::kReset, "connection reset"};
    case ETIMEDOUT:
      return {Outcome::kFailure, Reason::kTimeout, "connection timed out"};
    default:
      return {Outcome::kUnknown, Reason::kInternal, text};
  }
}

std::optional<Finding> own_shortage() {
  const UniqueFd any(::eventfd(0, EFD_CLOEXEC));
  return any || !is_shortage(errno) ? std::nullopt : std::optional(judge_errno(errno));
}

}  // namespace codex
