#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "agent/os/clock.h"

namespace codex {

struct NativeFrame {
  std::uint64_t address = 0;
  std::string function;    ///< demangled; "" if no symbol covers the address, as in code that V8 made
  std::string module;      ///< file name of the program or library; "" outside of any
  std::size_t offset = 0;  ///< into the function
};

struct NativeThread {
  pid_t id = 0;
  std::vector<NativeFrame> frames;  ///< the innermost first, at most 64
  std::string error;                ///< why there are none, or no more
};

/// The native (C and C++) stacks of a process's threads, the main one first, at most 64; x86-64.
///
/// A thread is stopped as in thread_stop.h only while its registers and up to 512 KiB of its stack are
/// copied, far below a millisecond; what may take longer, to make sense of them by the call frame information
/// of its program and libraries, is done afterwards (libdw). Nothing is downloaded. A thread that is stopped
/// or waits for a disk is not touched; of that only what the kernel tells is used, which may end early.
///
/// Whatever is not done within `limit` is left out. Needs the right to ptrace(2). Throws std::runtime_error
/// if nothing can be had at all: without libdw, or for another architecture.
std::vector<NativeThread> read_native_stacks(pid_t process, Duration limit);

/// "node::fs::Open+0x123 (libnode.so)"
std::string describe(const NativeFrame& frame);

}  // namespace codex
