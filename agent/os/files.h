#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "agent/os/unique_fd.h"

namespace codex {

/// Reads at most `max_bytes` of a regular file (O_NONBLOCK, so that a FIFO or device cannot hang us).
/// Throws std::system_error; EFBIG if it is longer, EINVAL if it is not a regular file.
std::string read_regular_file(const std::filesystem::path& path, std::size_t max_bytes);

/// Reads a /proc file to its end, at most `max_bytes`; nullopt if it is gone or may not be read (errno says).
std::optional<std::string> read_proc_file(int directory_fd, const char* name,
                                          std::size_t max_bytes = 1 << 16);

/// Replaces `path` by `content`: a new file `.NAME.new` in the same directory, then rename(2), so that
/// whoever reads sees the old or the new content and never half of it, even if we are killed. No fsync(2):
/// what we write this way means nothing after a crash of the whole machine. One writer at a time. May block:
/// call it from a Worker. Throws std::system_error.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, int mode = 0600);

/// Whether both are of one file, under whatever names it was found.
bool is_same_file(const struct stat& a, const struct stat& b);

/// Makes `path` and its parents; the last one gets mode 0700 and must be ours. Throws with a message that
/// names the path, its owner and what to do.
void make_private_directory(const std::filesystem::path& path);

}  // namespace codex
