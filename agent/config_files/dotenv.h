#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/config_files/diagnostics.h"

namespace codex {

/// What a .env file says, by name. A name that comes twice has its last value.
struct Dotenv {
  struct Entry {
    std::string value;
    Place place;  ///< of the name
  };
  std::string file;  ///< as people write it; "" if there is no file
  std::map<std::string, Entry, std::less<>> entries;
};

/// Reads the text of a .env file as the Node package dotenv 16 does, because the backend's own dotenv keeps
/// what the agent has set already: it must not see another value under the agent than without it.
///
///   KEY=value   export KEY=value   KEY: value      names: letters, digits, '_', '.', '-'
///   KEY=a b # c     unquoted: up to '#' or the end of the line, outer blanks dropped
///   KEY="a\nb"      double quotes: \n and \r become line ends, every other backslash stays; may span lines
///   KEY='a' KEY=`a` taken as they are; may span lines
///
/// Nothing is expanded: $HOME stays $HOME. A line that is none of these is ignored with a warning, as is a
/// value that an unquoted '#' may have cut short. Warnings name lines and keys, never values.
Dotenv parse_dotenv(std::string_view text, const std::string& file, Diagnostics& diagnostics);

}  // namespace codex
