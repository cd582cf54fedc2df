#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "probes/js_stack/js_frames.h"
#include "probes/js_stack/v8_program.h"

namespace codex {

enum class JsStackError {
  kNone,
  kGone,          ///< ended, or ended meanwhile
  kNotPermitted,  ///< other user, Yama, seccomp, or a debugger holds it: ptrace(2) access is needed.
                  ///< detail: that /proc does not even show it (hidepid), if so
  kNotNode,       ///< no V8 in its executable or libnode.so
  kStripped,      ///< V8 without v8dbg_* constants
  kUnsupportedArchitecture,  ///< only x86-64
  kUnsupportedVersion,       ///< detail: the constant that is missing or strange
  kTooSlow,                  ///< it runs but could not be stopped within 100 ms: starved of CPU
  kUnreadable,               ///< its stack makes no sense
};

/// "gone", "not_permitted" ...
std::string_view name_of(JsStackError error);

/// The JavaScript stack of a process's main thread at one moment.
struct JsStack {
  JsStackError error = JsStackError::kNone;
  std::string detail;  ///< more about the error, may be ""

  /// The innermost first. None without an error: no JavaScript runs at this moment, as in an idle process.
  std::vector<JsFrame> frames;
  bool complete = false;   ///< one chain up to main(), or V8's own; else some may be remnants of old calls
  bool truncated = false;  ///< more than kMaxJsFrames, or a limit ended it
  std::string v8_version;  ///< "11.3.244"

  std::chrono::nanoseconds stopped{};  ///< how long the thread was held; 0 for a waiting one
  std::chrono::nanoseconds elapsed{};
  std::size_t reads = 0, bytes = 0;  ///< of its memory
};

/// Reads it from outside: no signal, no port, no code in the process, nothing written. A thread that waits in
/// the kernel or is stopped is not touched at all: its stack is found from /proc/PID/syscall and read through
/// /proc/PID/mem. One that runs is held with ptrace (thread_stop.h) for about 0.4 ms; looking ends after 3
/// ms, but where we ourselves wait for a processor the stop lasts longer: 13 ms were seen with a load of 10
/// on two.
///
/// Functions and files are known of every frame, also in optimised code, where functions that were inlined
/// into others show as their caller. Lines: the current line for interpreted frames whose source positions V8
/// kept (bytecode_position in v8_function.h); else the line where the function begins, which JsFrame::line_is
/// tells. As in V8's own stack traces, a loop without a body counts as the function's first line. Lines are
/// those of the file that runs: of the JavaScript, where it was compiled from TypeScript. C++ frames have no
/// names here.
///
///   node     V8       functions, files, function lines   current lines   remark
///   16.20    9.4      yes                                 no              publishes no bytecode slots
///   18.20    10.2     yes                                 yes             also Debian's, in libnode.so.108
///   20.0/20  11.3     yes                                 yes
///   22.23    12.4     yes                                 yes
///   24.21    13.6     yes                                 yes
///   26.10    14.6     yes                                 yes
///
/// Costs at most 20,000 reads, 8 MiB and 20 ms of CPU. May wait for a page that is swapped out and reads
/// program files: for a Worker, not for the loop thread. One thread at a time. Never throws for what the
/// process does.
class JsStackReader {
 public:
  JsStack read(pid_t pid);

 private:
  V8Programs programs_;
};

/// For one stack; a reader that is kept saves reading the program's symbols again.
JsStack read_js_stack(pid_t pid);

}  // namespace codex
