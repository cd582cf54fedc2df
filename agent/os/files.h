#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/os/unique_fd.h"

namespace codex {

/// Reads at most `max_bytes` of a regular file (O_NONBLOCK, so that a FIFO or device cannot hang us).
/// Throws std::system_error; EFBIG if it is longer, EINVAL if it is not a regular file.
std::string read_regular_file(const std::filesystem::path& path, std::size_t max_bytes);

/// Reads a /proc file to its end, at most `max_bytes`; nullopt if it is gone or may not be read (errno says).
std::optional<std::string> read_proc_file(int directory_fd, const char* name,
                                          std::size_t max_bytes = 1 << 16);

/// Replaces `path` by `content`: temporary file in the same directory, fsync, rename, so that a reader sees
/// the old or the new content, never half of it. May block: call it from a Worker. Throws std::system_error.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, int mode = 0600);

/// Makes `path` and its parents; the last one gets mode 0700 and must be ours. Throws with a message that
/// names the path, its owner and what to do.
void make_private_directory(const std::filesystem::path& path);

}  // namespace codex
