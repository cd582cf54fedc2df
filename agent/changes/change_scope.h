#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace codex {

/// A directory of a ChangeScope.
struct ScopeDirectory {
  std::string path;
  bool flat = false;  ///< a node_modules: its own entries count, nothing below them
};

/// Which files' changes are somebody's work on the project, below a root: not what is excluded, not what an
/// editor keeps beside an open file, nothing in directories whose names begin with a dot, and of node_modules
/// its entries only. Pure, except resolved(). Immutable.
class ChangeScope {
 public:
  /// `excluded`: files or directories. Names that go on with a dot (`server.log.1`) and
  /// their hidden siblings (`.server.pid.x7Gq2d`) are excluded with them.
  ChangeScope(std::filesystem::path root, std::vector<std::filesystem::path> excluded);

  /// The same with symbolic links resolved, so that two names of one file agree. Reads the disk.
  [[nodiscard]] ChangeScope resolved() const;

  [[nodiscard]] ScopeDirectory root() const { return {root_.string(), false}; }

  /// Whether an entry of `directory` is of interest at all; for a directory, whether it may be entered or, in
  /// a flat one, is a package.
  [[nodiscard]] bool concerns(const ScopeDirectory& directory, std::string_view name,
                              bool is_directory) const;

  /// The directory `name` in `parent`, to be entered. A flat parent's are not.
  [[nodiscard]] static ScopeDirectory child(const ScopeDirectory& parent, std::string_view name);

  /// An excluded entry lies directly in `directory`, so that its own times tell nothing.
  [[nodiscard]] bool excludes_in(const ScopeDirectory& directory) const;

 private:
  [[nodiscard]] bool excludes(const std::string& path) const;

  std::filesystem::path root_;
  std::vector<std::filesystem::path> excluded_;
};

}  // namespace codex
