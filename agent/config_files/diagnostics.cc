#include "agent/config_files/diagnostics.h"

#include "agent/text/display_text.h"

namespace codex {

namespace {

bool may_hold_password(std::string_view text) {
  return text.find_first_of("@=") != std::string_view::npos || text.find("://") != std::string_view::npos;
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t kLongestShown = 40;
  if (may_hold_password(text)) return "the value (not shown, it may hold a password)";
  return '"' + escape_for_display(text, kLongestShown) + '"';
}

std::string quoted_name(std::string_view name) {
  constexpr std::size_t kLongestName = 64;
  if (may_hold_password(name)) return "(a name not shown, it may hold a password)";
  return '"' + escape_for_display(name, kLongestName) + '"';
}

std::string to_string(const ConfigError& error) {
  std::string text = error.file;
  if (error.line > 0) text += ":" + std::to_string(error.line) + ":" + std::to_string(error.column);
  if (!text.empty()) text += ": ";
  return text + error.message;
}

}  // namespace codex
