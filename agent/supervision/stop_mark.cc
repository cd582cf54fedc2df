#include "agent/supervision/stop_mark.h"

#include <fcntl.h>

#include <system_error>
#include <utility>

#include "agent/os/unique_fd.h"

namespace codex {

namespace {

bool is_there(const std::filesystem::path& file) {
  std::error_code unreadable;
  return std::filesystem::exists(file, unreadable);
}

}  // namespace

StopMark::StopMark(Worker& disk, std::filesystem::path file)
    : disk_(disk), file_(std::move(file)), inherited_(is_there(file_)) {}

void StopMark::set() {
  [[maybe_unused]] const bool accepted = disk_.submit([file = file_] {
    const UniqueFd mark(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  });
}

void StopMark::clear() {
  inherited_ = false;
  [[maybe_unused]] const bool accepted = disk_.submit([file = file_] {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  });
}

}  // namespace codex
