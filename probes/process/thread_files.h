#pragma once

#include <sys/types.h>

#include "probes/process/process_directory.h"
#include "probes/process/thread_view.h"

namespace codex {

/// A thread's /proc files, kept open: a look is five reads, about 3 us, and can only ever be about this very
/// thread. One thread at a time.
class ThreadFiles {
 public:
  /// Throws std::system_error for want of descriptors: a thread of which only some files can be read would
  /// pass for another kind of thread.
  ThreadFiles(const ProcessDirectory& process, pid_t tid);

  /// False when the thread has ended. A file that may not be read leaves its part of the view empty.
  bool look(ThreadView& view);

 private:
  UniqueFd stat_, syscall_, wchan_, schedstat_, io_;
};

/// Parts of the above, pure. Malformed text leaves the view as it is.
void parse_thread_stat(std::string_view text, ThreadView& view);
void parse_thread_syscall(std::string_view text, ThreadView& view);
void parse_thread_wchan(std::string_view text, ThreadView& view);
void parse_thread_schedstat(std::string_view text, ThreadView& view);
void parse_thread_io(std::string_view text, ThreadView& view);

}  // namespace codex
