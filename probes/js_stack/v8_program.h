#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>

#include "probes/js_stack/memory_maps.h"
#include "probes/js_stack/v8_metadata.h"

namespace codex {

/// Finds the file that a process's V8 is in: its executable, or the libnode.so it has loaded (Debian's
/// nodejs). Files are read once: about 15 ms; again when they were replaced. One thread at a time; reads
/// files, so not for the loop thread.
class V8Programs {
 public:
  struct Program {
    V8MetadataResult result;
    std::uint64_t inode = 0;  ///< of that file
  };

  /// `process_fd`: the open /proc/PID. nullptr with errno if its executable may not be opened. Valid until
  /// the next call.
  const Program* find(int process_fd, const MemoryMaps& maps);

 private:
  struct FileId {
    dev_t device;
    ino_t inode;
    off_t size;
    std::int64_t changed_seconds, changed_nanoseconds;
    friend auto operator<=>(const FileId&, const FileId&) = default;
  };
  const Program* load(int fd);

  std::map<FileId, std::unique_ptr<const Program>> known_;
};

}  // namespace codex
