#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "agent/os/worker.h"

namespace codex {

/// What became of the lines handed to a RotatingFile.
struct RotatingFileStats {
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_dropped = 0;  ///< the disk was full, frozen or read-only, or the mailbox was full
  std::string last_error;  ///< "" while all is well, e.g. "write logs/server.log: No space left on device"
};

/// Appends to a file and rotates it by size: file, file.1, file.2 ...
///
/// append() never blocks and never throws: the bytes go to a Worker; what the disk does not take is
/// dropped and counted, and writing resumes by itself when the disk is well again. The file is opened
/// with O_NOFOLLOW|O_CLOEXEC|O_APPEND, mode 0640, and opened again when it was renamed or removed. A
/// directory that is replaced by a symbolic link while we run is refused. At most 4 MiB wait for the disk.
/// Half a line at the file's end, which a killed process left, is ended before anything is appended.
/// append() and stats() may be called from any thread. The object may die before the Worker has written all.
class RotatingFile {
 public:
  /// `max_bytes`: rotate, between two lines, when the file would grow above; a single longer line is cut. 0:
  /// never rotate. `keep`: number of old files kept. Missing parent directories are made (mode 0750). Nothing
  /// is opened before the first append().
  RotatingFile(Worker& worker, std::filesystem::path path, std::uint64_t max_bytes, int keep);

  /// Lines that are unfinished on purpose are continued by the next process too: `mark` is a small private
  /// file that says where the last one ends. Its directory must exist. Before the first append().
  void continue_lines(std::filesystem::path mark);

  /// `done`: called once when all of `bytes` and whatever was appended before is written or dropped; on the
  /// Worker's thread right after the write, or by append() itself when it drops them. Must not throw.
  void append(std::string bytes, std::function<void()> done = {});
  [[nodiscard]] RotatingFileStats stats() const;
  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace codex
