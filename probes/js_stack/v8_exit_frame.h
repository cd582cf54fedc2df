#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "probes/js_stack/frame_chain.h"
#include "probes/js_stack/v8_heap.h"

namespace codex {

/// Where JavaScript called into C++ last, as V8 itself keeps it for walking its stack (Isolate::c_entry_fp).
struct V8ExitFrame {
  bool isolate_found = false;          ///< false: nothing is known
  std::optional<std::uint64_t> frame;  ///< frame pointer; absent: no JavaScript below the C++ that runs
};

/// Finds V8's isolate from the memory chunks of objects that the stack refers to, and the exit frame in it.
/// For builds in which C++ between JavaScript and the innermost frame keeps no frame pointers: Debian's
/// libuv. Knows the chunks of V8 up to 11.
V8ExitFrame find_v8_exit_frame(V8Heap& heap, const StackImage& stack, const CodeAt& code_at);

/// The frames from an exit frame on. Where C++ without frame pointers breaks the chain, it goes on at the
/// exit frame that the last entry frame keeps.
std::vector<std::uint64_t> v8_frames_from(const StackImage& stack, std::uint64_t exit_frame,
                                          const CodeAt& code_at);

}  // namespace codex
