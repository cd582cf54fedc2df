#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temporary_directory.h"

namespace codex {

/// A temporary directory with files in it, as a project of a test.
class ProjectDirectory : public TemporaryDirectory {
 public:
  /// Writes a file, makes its directory, returns its path.
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    const auto file = path() / name;
    std::filesystem::create_directories(file.parent_path());
    write_contents(file, content);
    return file;
  }

  void append(const std::string& name, const std::string& content) const {
    std::ofstream(path() / name, std::ios::binary | std::ios::app) << content;
  }
};

}  // namespace codex
