#include "agent/changes/change_scope.h"

#include <algorithm>
#include <utility>

namespace codex {

namespace {

/// Without a final slash, so that it is the beginning of what lies in it.
std::filesystem::path tidy(const std::filesystem::path& path) {
  auto normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

std::filesystem::path resolve(const std::filesystem::path& path) {
  std::error_code error;
  auto real = std::filesystem::weakly_canonical(path, error);
  return error ? path : real;
}

/// vim: .x.swp, 4913, x~; emacs: .#x, #x#, x~. They come with opening a file, not with changing it.
bool belongs_to_an_editor(std::string_view name) {
  const bool swap = name.starts_with('.') && (name.ends_with(".swp") || name.ends_with(".swo") ||
                                              name.ends_with(".swx") || name.ends_with(".swpx"));
  return swap || name == "4913" || name.ends_with('~') || name.starts_with(".#") ||
         (name.starts_with('#') && name.ends_with('#'));
}

}  // namespace

ChangeScope::ChangeScope(std::filesystem::path root, std::vector<std::filesystem::path> excluded)
    : root_(tidy(root)) {
  for (const auto& path : excluded) {
    if (path.empty()) continue;
    excluded_.push_back(tidy(path));
    // What it is written to first, see write_file_atomically().
    excluded_.push_back(excluded_.back().parent_path() / ("." + excluded_.back().filename().string()));
  }
}

ChangeScope ChangeScope::resolved() const {
  std::vector<std::filesystem::path> excluded;
  for (const auto& path : excluded_) {
    // Of a link both names count: the link is what the project has.
    excluded.push_back(resolve(path.parent_path()) / path.filename());
    excluded.push_back(resolve(path));
  }
  return {resolve(root_), std::move(excluded)};
}

bool ChangeScope::concerns(const ScopeDirectory& directory, std::string_view name, bool is_directory) const {
  if (is_directory && name.starts_with('.')) return false;
  if (belongs_to_an_editor(name)) return false;
  return !excludes(directory.path + "/" + std::string(name));
}

ScopeDirectory ChangeScope::child(const ScopeDirectory& parent, std::string_view name) {
  return {parent.path + "/" + std::string(name), name == "node_modules"};
}

bool ChangeScope::excludes_in(const ScopeDirectory& directory) const {
  return std::any_of(excluded_.begin(), excluded_.end(),
                     [&](const std::filesystem::path& path) { return path.parent_path() == directory.path; });
}

bool ChangeScope::excludes(const std::string& path) const {
  return std::any_of(excluded_.begin(), excluded_.end(), [&](const std::filesystem::path& excluded) {
    const std::string& begin = excluded.native();
    return path.starts_with(begin) &&
           (path.size() == begin.size() || path[begin.size()] == '/' || path[begin.size()] == '.');
  });
}

}  // namespace codex
