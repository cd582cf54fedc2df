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

/// A wrapper has started its application again because of an edit.
bool tells_edit(const std::vector<std::string>& lines);

}  // namespace codex
