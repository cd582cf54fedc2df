#pragma once

#include <string_view>

/// What was compiled in from the files beside this one and from README.md.

namespace codex {

std::string_view page_style();    ///< page.css
std::string_view page_script();   ///< page.js
std::string_view readme();        ///< README.md
std::string_view page_version();  ///< changes with style and script

}  // namespace codex
