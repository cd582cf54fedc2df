#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace codex {

/// What starts an application again whenever its code is edited, and says so.
struct WrapperWord {
  std::string_view name;    ///< "nodemon"
  std::string label = {};   ///< of its lines (speakers.h)
  bool holds_port = false;  ///< it listens itself, whether the application lives or not
};

/// The wrapper that says, in the newest of `lines` that are its own, that its application has ended and that
/// it waits for an edit: nodemon, node --watch, tsc --watch (of tsc-watch), ts-node-dev, uvicorn --reload,
/// Django, air. nullopt without one, or if it has started the application again since. tsx watch says
/// nothing, and Flask ends with its application. Pure.
std::optional<WrapperWord> wrapper_says(const std::vector<std::string>& lines);

/// The command line of a program that only starts others, and is no server itself: a shell, npm, a watcher.
bool is_wrapper(std::string_view command);

/// A wrapper has started its application. After that was well once: started again, because of an edit.
bool tells_start(const std::vector<std::string>& lines);

}  // namespace codex
