#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "agent/config_files/diagnostics.h"

/// Text files that people write: bounded, regular, UTF-8.

namespace codex {

/// Reads a regular file of at most 1 MiB of UTF-8 text without NUL bytes; a byte order mark is dropped. What
/// is wrong goes to `diagnostics` under the name `shown_as`, with the place of the first bad byte. Never blocks
/// on a FIFO or a device.
std::optional<std::string> read_text_file(const std::filesystem::path& path, const std::string& shown_as,
                                          Diagnostics& diagnostics);

/// Why root must not obey this file, "" if it may: anybody could write it, or its owner is neither root nor
/// the owner of its directory. Always "" for another `uid`.
std::string distrust(uid_t uid, const struct stat& file, const struct stat& directory);

/// As above for the file at `path` and the running process; "" too if the file is not there.
std::string distrust(const std::filesystem::path& path);

/// Offset of the first byte that is not UTF-8 (RFC 3629) or is NUL; npos if there is none.
std::size_t find_invalid_utf8(std::string_view text);

/// The place of byte `offset` of `text`; a column is a character.
Place place_at(std::string_view text, std::size_t offset);

/// How a person finds `path` from the working directory: relative if it is below it, else absolute.
/// From the root directory it is absolute too.
std::string display_path(const std::filesystem::path& path);

}  // namespace codex
