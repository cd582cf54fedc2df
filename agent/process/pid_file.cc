#include "agent/process/pid_file.h"

#include <string>
#include <system_error>

#include "agent/os/files.h"

namespace codex {

namespace {

std::string text_of(pid_t pid) {
  return std::to_string(pid) + "\n";
}

}  // namespace

void write_pid_file(Worker& disk, const std::filesystem::path& path, pid_t pid) {
  [[maybe_unused]] const bool accepted = disk.submit([path, pid] {
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    try {
      write_file_atomically(path, text_of(pid), 0644);
    } catch (const std::system_error&) {  // full or read-only: supervision goes on
    }
  });
}

void remove_pid_file(Worker& disk, const std::filesystem::path& path, pid_t pid) {
  [[maybe_unused]] const bool accepted = disk.submit([path, pid] {
    try {
      if (read_regular_file(path, 64) == text_of(pid)) std::filesystem::remove(path);
    } catch (const std::system_error&) {  // gone already, or not ours to remove
    }
  });
}

}  // namespace codex
