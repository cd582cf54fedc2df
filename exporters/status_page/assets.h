#pragma once

#include <span>
#include <string_view>

/// What was compiled in from the files beside this one and from the documents.

namespace codex {

/// One document of agent/packaging/documents.cmake.
struct PageDocument {
  std::string_view path;  ///< in the repository: "README.md", "agent/docs/hangs.md"
  std::string_view text;
};

std::string_view page_style();                   ///< page.css
std::string_view page_script();                  ///< page.js
std::span<const PageDocument> page_documents();  ///< README.md and all that its links lead to
std::string_view page_version();                 ///< changes with style and script

}  // namespace codex
