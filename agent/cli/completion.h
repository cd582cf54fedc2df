#pragma once

#include <string_view>

namespace codex {

/// The completion script of a shell, as in agent/packaging/completions/; "" for a shell we have none for.
/// The definition is generated at configure time (agent/packaging/completions.cmake).
std::string_view completion_script(std::string_view shell);

}  // namespace codex
