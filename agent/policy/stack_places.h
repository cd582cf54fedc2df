#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace codex {

/// Where in the code a line of a stack is. Pure.
struct StackPlace {
  std::string where;  ///< "/srv/app/server.js:20"
  bool own = true;    ///< of the application: no runtime's and no library's
};

/// `text`, when it is nothing but a place: "/srv/app/server.js:20:7", "file:///srv/app.mjs:3", "Main.java:12".
std::optional<StackPlace> place(std::string_view text);

/// A line "    at f (/srv/app/server.js:20:7)" of JavaScript, the JVM or .NET, whatever it says of the place.
bool is_at_frame(std::string_view line);
std::optional<StackPlace> at_frame(std::string_view line);

/// "  File "/srv/app.py", line 3, in f"
std::optional<StackPlace> python_frame(std::string_view line);

/// "    /srv/app/main.go:4 +0x54", below the name of a function
std::optional<StackPlace> go_frame(std::string_view line);

/// "    from /srv/app.rb:4:in `f'"
std::optional<StackPlace> ruby_frame(std::string_view line);

/// How many blanks a line begins with.
std::size_t indent_of(std::string_view line);

}  // namespace codex
