#include "agent/config_files/text_file.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "agent/os/files.h"
#include "agent/text/display_text.h"
#include "agent/text/utf8.h"

namespace codex {

namespace {

constexpr std::size_t kLargestFile = 1024 * 1024;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string explain(const std::system_error& error) {
  const int code = error.code().value();
  if (code == EFBIG) return "is larger than 1 MiB; a configuration is a few KiB";
  if (code == EINVAL) return "is not a regular file; a directory, a FIFO or a device is never read";
  return "cannot be read: " + error.code().message();
}

}  // namespace

std::optional<std::string> read_text_file(const std::filesystem::path& path, const std::string& shown_as,
                                          Diagnostics& diagnostics) {
  std::string text;
  try {
    text = read_regular_file(path, kLargestFile);
  } catch (const std::system_error& error) {
    diagnostics.error(shown_as, {}, explain(error));
    return std::nullopt;
  }
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  const std::size_t bad = find_invalid_utf8(text);
  if (bad == std::string::npos) return text;
  const bool nul = text[bad] == '\0';
  diagnostics.error(
      shown_as, place_at(text, bad),
      nul ? "a NUL byte; this is not a text file" : "this byte is not UTF-8; save the file as UTF-8");
  return std::nullopt;
}

std::string distrust(uid_t uid, const struct stat& file, const struct stat& directory) {
  if (uid != 0) return {};
  if ((file.st_mode & S_IWOTH) != 0) {
    return "anybody may write this file, and root would run what it says; chmod o-w it";
  }
  if (file.st_uid != 0 && file.st_uid != directory.st_uid) {
    return "it belongs to user id " + std::to_string(file.st_uid) +
           ", who owns neither its directory nor this " +
           "process (root); chown it to root, or run codex-agent as that user";
  }
  return {};
}

std::string distrust(const std::filesystem::path& path) {
  struct stat file {};
  struct stat directory {};
  if (stat(path.c_str(), &file) != 0 || stat(path.parent_path().c_str(), &directory) != 0) return {};
  return distrust(geteuid(), file, directory);
}

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = text[at] == '\0' ? 0 : first_utf8_character(text.substr(at)).bytes;
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

Place place_at(std::string_view text, std::size_t offset) {
  Place place{1, 1};
  for (const char c : text.substr(0, offset)) {
    const bool continuation = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if (!continuation) {
      ++place.column;
    }
  }
  return place;
}

std::string display_path(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto working_directory = std::filesystem::current_path(ignored);
  // A daemon works in "/", where "etc/codex-agent.toml" would tell nobody anything.
  const bool daemon = working_directory.empty() || working_directory == working_directory.root_path();
  const auto relative = daemon ? std::filesystem::path() : path.lexically_relative(working_directory);
  const bool below = !relative.empty() && relative.begin()->string() != "..";
  return escape_for_display((below ? relative : path).string(), 1024);
}

}  // namespace codex
