#include "agent/supervision/pid_file.h"

#include <string>
#include <system_error>

#include "agent/os/files.h"

namespace codex {

namespace {

void update(const std::filesystem::path& path, std::optional<pid_t> pid) {
  std::error_code ignored;
  if (!pid) {
    std::filesystem::remove(path, ignored);
    return;
  }
  std::filesystem::create_directories(path.parent_path(), ignored);
  try {
    write_file_atomically(path, std::to_string(*pid) + "\n", 0644);
  } catch (const std::system_error&) {  // full or read-only: supervision goes on
  }
}

}  // namespace

void write_pid_file(Worker& disk, const std::filesystem::path& path, std::optional<pid_t> pid) {
  [[maybe_unused]] const bool accepted = disk.submit([path, pid] { update(path, pid); });
}

}  // namespace codex
