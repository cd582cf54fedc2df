#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/js_stack/frame_chain.h"
#include "probes/js_stack/v8_function.h"
#include "probes/js_stack/v8_heap.h"

namespace codex {

enum class JsFrameKind {
  kScript,   ///< the application or one of its packages
  kNode,     ///< node's own JavaScript, "node:..."
  kBuiltin,  ///< a function of the language without source, e.g. "test" of RegExp
};

/// Which line of the source a frame names.
enum class JsLine {
  kUnknown,
  kCurrent,   ///< where the function is
  kFunction,  ///< where the function begins
};

/// Text is fit to be shown: see escape_for_display.
struct JsFrame {
  JsFrameKind kind = JsFrameKind::kScript;
  std::string function;  ///< "" if anonymous
  std::string file;      ///< path, "file:///..." or "node:..."; "" for builtins and code without a name
  JsLine line_is = JsLine::kUnknown;
  std::uint32_t line = 0;
};

/// A frame as found while the thread could not run; names are text already, its line is not looked up yet.
struct FoundFrame {
  JsFrame frame;
  std::optional<TaggedValue> script;
  std::optional<std::uint32_t> position;
};

struct FoundFrames {
  std::vector<FoundFrame> frames;  ///< the innermost first
  bool complete = false;           ///< they form one chain from the innermost frame to the outermost
  bool truncated = false;          ///< there are more
};

inline constexpr std::size_t kMaxJsFrames = 64, kMaxJsText = 256;

/// The JavaScript frames on a stack. `running`: the thread does not wait in the kernel, so that what runs may
/// be JavaScript itself. Pure but for the heap's reads; never throws for what memory holds.
FoundFrames find_js_frames(V8Heap& heap, const StackImage& stack, std::optional<std::uint64_t> frame_pointer,
                           const CodeAt& code_at, bool running);

/// Looks the lines up, and hands the frames over.
std::vector<JsFrame> with_lines(V8Heap& heap, std::vector<FoundFrame> found);

/// "slowQuery (server.js:12)", "slowQuery (server.js, from line 10)"
std::string describe_frame(const JsFrame& frame);

}  // namespace codex
