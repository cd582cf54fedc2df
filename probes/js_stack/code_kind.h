#pragma once

namespace codex {

/// What is at an address, as far as it may be executed.
enum class CodeKind {
  kNone,
  kProgram,    ///< of a file: C++, V8's interpreter and builtins
  kGenerated,  ///< made by V8 for a function or a regular expression
};

}  // namespace codex
