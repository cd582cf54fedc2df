#include "agent/cli/log_tail.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "agent/os/check.h"
#include "agent/os/files.h"

namespace codex {
namespace {

constexpr std::size_t kBlock = 64 * 1024;

UniqueFd open_log(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (file && ::fstat(file.get(), &status) == 0 && !S_ISREG(status.st_mode)) {
    file.reset();
    errno = EINVAL;
  }
  return file;
}

std::size_t read_at(int fd, std::string& block, off_t offset) {
  const ssize_t got = ::pread(fd, block.data(), block.size(), offset);
  return static_cast<std::size_t>(check("pread", got));
}

}  // namespace

off_t start_of_last_lines(int fd, std::size_t lines) {
  struct stat status {};
  check("fstat", ::fstat(fd, &status));
  const off_t size = status.st_size;
  if (lines == 0) return size;
  std::size_t found = 0;
  off_t end = size;
  while (end > 0) {
    const off_t begin = std::max<off_t>(end - static_cast<off_t>(kBlock), 0);
    std::string block(static_cast<std::size_t>(end - begin), '\0');
    for (std::size_t i = read_at(fd, block, begin); i > 0; --i) {
      const off_t position = begin + static_cast<off_t>(i) - 1;
      // The line end that closes the last line does not separate it from anything.
      if (block[i - 1] == '\n' && position != size - 1 && ++found == lines) return position + 1;
    }
    end = begin;
  }
  return 0;
}

LogTail::LogTail(std::filesystem::path path)
    : path_(std::move(path)), inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  watch_directory();
}

void LogTail::watch_directory() {
  if (watching_ || !inotify_) return;
  watching_ = ::inotify_add_watch(inotify_.get(), path_.parent_path().c_str(),
                                  IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) >= 0;
}

bool LogTail::open_at_last_lines(std::size_t lines) {
  file_ = open_log(path_);
  if (!file_) return false;
  check("lseek", ::lseek(file_.get(), start_of_last_lines(file_.get(), lines), SEEK_SET));
  return true;
}

bool LogTail::read_rest(const Sink& sink) {
  struct stat status {};
  check("fstat", ::fstat(file_.get(), &status));
  if (check("lseek", ::lseek(file_.get(), 0, SEEK_CUR)) > status.st_size) ::lseek(file_.get(), 0, SEEK_SET);
  std::string block(kBlock, '\0');
  for (;;) {
    const ssize_t got = check("read", ::read(file_.get(), block.data(), block.size()));
    if (got == 0) return true;
    if (!sink({block.data(), static_cast<std::size_t>(got)})) return false;
  }
}

bool LogTail::was_replaced() const {
  struct stat by_name {
  }, open_file{};
  if (::stat(path_.c_str(), &by_name) != 0) return false;
  check("fstat", ::fstat(file_.get(), &open_file));
  return !is_same_file(by_name, open_file);
}

bool LogTail::read_new(const Sink& sink) {
  if (!file_) file_ = open_log(path_);
  if (!file_) return true;
  if (!read_rest(sink)) return false;
  while (was_replaced()) {
    // Lines may have been written between the read and the rename.
    if (!read_rest(sink)) return false;
    file_ = open_log(path_);
    if (!file_) return true;
    if (!read_rest(sink)) return false;
  }
  return true;
}

void LogTail::wait(Duration limit) {
  watch_directory();
  pollfd entry{inotify_.get(), POLLIN, 0};
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  if (::poll(&entry, 1, static_cast<int>(milliseconds)) <= 0) return;
  std::array<char, 4096> events{};
  while (::read(inotify_.get(), events.data(), events.size()) > 0) {
  }
}

}  // namespace codex
