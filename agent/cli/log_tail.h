#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string_view>

#include "agent/os/clock.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// Where the last `lines` lines of a regular file begin; a last line without a line end counts. Reads
/// backwards from the end, so it costs what it finds, whatever the size of the file. Throws
/// std::system_error.
off_t start_of_last_lines(int fd, std::size_t lines);

/// Reads a growing log by its name, across rotation (rename and create), truncation and absence.
class LogTail {
 public:
  /// Takes bytes; false ends the reading.
  using Sink = std::function<bool(std::string_view)>;

  explicit LogTail(std::filesystem::path path);

  /// Opens the file at its last `lines` lines. false if there is none or it is not a regular file (errno
  /// says).
  bool open_at_last_lines(std::size_t lines);

  /// Hands everything new to `sink`: the rest of a file that was rotated away, then the new one from its
  /// start. false if the sink had enough. Throws std::system_error.
  bool read_new(const Sink& sink);

  /// Waits until something happens in the directory, at most `limit`. May return early (inotify(7)).
  void wait(Duration limit);

 private:
  bool read_rest(const Sink& sink);
  bool was_replaced() const;
  void watch_directory();

  std::filesystem::path path_;
  UniqueFd file_;
  UniqueFd inotify_;
  bool watching_ = false;
};

}  // namespace codex
