#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "agent/os/unique_fd.h"

namespace codex {

/// Opens the FIFO for reading, non-blocking; makes it (mode 0600) if it is not there, and replaces whatever
/// else has its name. Also for writing, so that it never is at its end when no child has it open. Throws
/// std::system_error.
UniqueFd open_output_fifo(const std::filesystem::path& path);

/// The FIFO of our user's that was made as `name` and that the process has as descriptor `number`, opened in
/// the same way although its name may be gone; nothing if it is anything else. Only who got it from an agent can
/// have it: nobody but our user may open it. Throws std::system_error for want of descriptors.
UniqueFd open_output_fifo_of(pid_t process, int number, const std::string& name);

/// Throws std::system_error.
bool is_same_fifo(int fd, int other);

/// False also if nothing has this name. Throws std::system_error.
bool is_named(int fd, const std::filesystem::path& path);

}  // namespace codex
