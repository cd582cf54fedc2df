#include "agent/policy/stack_places.h"

#include <algorithm>

#include "agent/policy/output_lines.h"
#include "agent/text/words.h"

namespace codex {

namespace {

constexpr std::size_t kLongestPlace = 300;

/// What no application is made of: parts of the paths of runtimes and of installed libraries.
constexpr std::string_view kLibraries[] = {
    "node:",          "node_modules/", "internal/",  "<",        "/lib/python", "site-packages/",
    "dist-packages/", "/lib/ruby/",    "/gems/",     "/lib/go",  "/local/go/",  "/pkg/mod/",
    "/rustc/",        ".cargo/",       "_bootstrap", "/.rbenv/", "/vendor/"};
/// Of the JVM, where a file's name says nothing: the beginnings of the names of methods.
constexpr std::string_view kPackages[] = {"java.",       "javax.",    "jdk.",    "sun.",
                                          "com.sun.",    "kotlin.",   "scala.",  "org.springframework.",
                                          "org.apache.", "io.netty.", "System.", "Microsoft."};

bool is_library(std::string_view where) {
  return std::any_of(std::begin(kLibraries), std::end(kLibraries),
                     [&](std::string_view part) { return where.find(part) != std::string_view::npos; });
}

/// Takes ":12" from the end.
bool take_number(std::string_view& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  if (!std::all_of(text.begin() + static_cast<std::ptrdiff_t>(colon) + 1, text.end(), is_digit)) return false;
  text = text.substr(0, colon);
  return true;
}

/// A file has an extension, so that no address is one.
bool is_file(std::string_view text) {
  if (text.empty() || text.size() > kLongestPlace) return false;
  if (text.starts_with("node:") || text.starts_with('<')) return true;
  const bool path = text.starts_with('/') || text.starts_with("./") || text.starts_with("file:");
  if (!path && text.find(' ') != std::string_view::npos) return false;
  const std::size_t dot = text.rfind('.');
  return dot != std::string_view::npos && dot + 1 < text.size() && is_letter(text[dot + 1]) &&
         text.find_first_of(" \"'", dot) == std::string_view::npos;
}

StackPlace at(std::string_view file, std::string_view line) {
  if (file.starts_with("file://")) file.remove_prefix(7);
  return {std::string(file) + ":" + std::string(line), !is_library(file)};
}

}  // namespace

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(kBlanks), line.size());
}

std::optional<StackPlace> place(std::string_view text) {
  std::string_view rest = text;
  if (!take_number(rest)) return std::nullopt;
  std::string_view line = text.substr(rest.size() + 1);
  std::string_view file = rest;
  if (take_number(rest)) {
    line = file.substr(rest.size() + 1);
    file = rest;
  }
  if (!is_file(file)) return std::nullopt;
  return at(file, line);
}

bool is_at_frame(std::string_view line) {
  return indent_of(line) > 0 && trim(line, kBlanks).starts_with("at ");
}

std::optional<StackPlace> at_frame(std::string_view line) {
  std::string_view text = trim(line, kBlanks);
  text.remove_prefix(std::min<std::size_t>(3, text.size()));
  if (text.starts_with("async ")) text.remove_prefix(6);
  while (!text.empty() && (text.back() == '{' || text.back() == ',' || text.back() == ' '))
    text.remove_suffix(1);
  // .NET: at App.Main() in /srv/Program.cs:line 5
  if (const auto in = text.find(") in "), number = text.rfind(":line ");
      in != std::string_view::npos && number != std::string_view::npos && number > in) {
    return at(text.substr(in + 5, number - in - 5), text.substr(number + 6));
  }
  std::string_view inner = text, method;
  if (text.ends_with(')')) {
    const std::size_t open =
        text.rfind(" (") != std::string_view::npos ? text.rfind(" (") + 1 : text.find('(');
    if (open == std::string_view::npos) return std::nullopt;
    method = text.substr(0, open);
    inner = text.substr(open + 1, text.size() - open - 2);
  }
  auto found = place(inner);
  if (!found) return std::nullopt;
  const std::size_t module = method.find('/');  // java.base/java.net.ServerSocket.bind
  const bool jvm = inner.find('/') == std::string_view::npos;
  if (jvm) {
    const std::string_view name = method.substr(module == std::string_view::npos ? 0 : module + 1);
    if (std::any_of(std::begin(kPackages), std::end(kPackages),
                    [&](std::string_view package) { return name.starts_with(package); }))
      found->own = false;
  }
  return found;
}

std::optional<StackPlace> python_frame(std::string_view line) {
  constexpr std::string_view kFile = "File \"", kLine = "\", line ";
  const std::string_view text = trim(line, kBlanks);
  const std::size_t end = text.find(kLine);
  if (!text.starts_with(kFile) || end == std::string_view::npos) return std::nullopt;
  const std::string_view number = text.substr(end + kLine.size());
  return at(text.substr(kFile.size(), end - kFile.size()),
            number.substr(0, number.find_first_not_of("0123456789")));
}

std::optional<StackPlace> go_frame(std::string_view line) {
  const std::string_view text = trim(line, kBlanks);
  return indent_of(line) > 0 ? place(text.substr(0, text.find(' '))) : std::nullopt;
}

std::optional<StackPlace> ruby_frame(std::string_view line) {
  std::string_view text = trim(line, kBlanks);
  if (text.starts_with("from ")) text.remove_prefix(5);
  const std::size_t in = text.find(":in ");
  return in == std::string_view::npos ? std::nullopt : place(text.substr(0, in));
}

}  // namespace codex
