#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace codex {

/// How much a line says about why its program ended.
enum class Telling {
  kLast,    ///< nothing but that it was the last
  kError,   ///< it has the look of an error
  kReport,  ///< a runtime's own report of what it died of
};

/// The line that says why a program ended.
struct LastWords {
  Telling telling = Telling::kLast;
  std::size_t line = 0;  ///< which one it is
  std::string text;      ///< "TypeError: Cannot read properties of undefined (reading 'x')"
  std::string place;     ///< "/srv/app/server.js:20": of the application, where the runtime says one; or ""
};

/// The last words of one program, of its lines without labels (speakers.h): what is newest of a runtime's
/// reports, else of the lines that look like an error, else of all. What npm, shells and watchers add about
/// somebody else's end does not count. nullopt without any.
///
/// | runtime      | its report                                              | the place                          |
/// |--------------|---------------------------------------------------------|------------------------------------|
/// | Node.js      | the line above the stack, or below the source and caret | the first frame of the application |
/// | Python       | the line below the traceback                            | its last frame of the application  |
/// | Go           | `panic:`, `fatal error:`                                | the first frame of the application |
/// | JVM, .NET    | the innermost `Caused by:`, else what is above the stack | the first frame of the application |
/// | Ruby         | `file:line:in 'f': message`                             | that, or the first `from`          |
/// | Rust         | `panicked at`                                           | that                               |
/// | compilers    | `file:line: message`                                    | that                               |
///
/// Pure.
std::optional<LastWords> last_words(const std::vector<std::string>& lines);

/// The same of the line `line`, which is known to say why.
LastWords words_at(const std::vector<std::string>& lines, std::size_t line);

/// "TypeError: ... (server.js:20)", with the place as seen from `directory`.
std::string to_text(const LastWords& words, std::string_view directory, std::size_t max_text);

}  // namespace codex
