#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "probes/js_stack/js_stack.h"

namespace codex {

/// {"error":null|"...","complete":...,"v8_version":...,"frames":[{"function","file","line","line_is"}]}
nlohmann::ordered_json to_json(const JsStack& stack);

/// Why there is no stack to see, "" if there is one; raw.
std::string trouble_of(const JsStack& stack);

/// The innermost frame that is the application's, "slowQuery (server.js:12)"; the innermost of all if none is;
/// "" for an empty stack.
std::string describe_place(const JsStack& stack);

}  // namespace codex
