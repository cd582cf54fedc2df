#pragma once

namespace codex {

/// Lets go of the read-only pages that the dynamic linker, library constructors and our own start-up touched:
/// they stay in the page cache, and what is needed again comes back by a minor fault. For a process that
/// starts once and then mostly waits. Also returns free heap to the kernel (malloc_trim(3)).
///
/// Only PT_LOAD segments without PF_W are dropped (dl_iterate_phdr(3), madvise(2) MADV_DONTNEED): nothing
/// ever wrote to them, relocated data lies in writable segments. Any thread.
void release_startup_pages();

}  // namespace codex
