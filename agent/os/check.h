#pragma once

#include <cerrno>
#include <system_error>

namespace codex {

/// Throws std::system_error with the current errno, naming the call, e.g. `pidfd_open: No such process`.
[[noreturn]] inline void throw_errno(const char* call) {
  throw std::system_error(errno, std::system_category(), call);
}

/// Whether a call failed for want of descriptors or memory, of this process or of the host: that says nothing
/// about what was asked, and may be over in a moment.
inline bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/// Throws if the current errno is a shortage: that something could not be looked at must not pass for its
/// absence.
inline void throw_if_short(const char* call) {
  if (is_shortage(errno)) throw_errno(call);
}

/// Returns `result` of a system call, or throws if it is -1. For calls whose failure means "cannot go on".
template <typename T>
T check(const char* call, T result) {
  if (result == static_cast<T>(-1)) throw_errno(call);
  return result;
}

/// As check(), for libraries that return a negative errno (sd_event_*(3), sd_bus...).
inline int check_negative_errno(const char* call, int result) {
  if (result < 0) throw std::system_error(-result, std::system_category(), call);
  return result;
}

}  // namespace codex
