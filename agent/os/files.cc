#include "agent/os/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "agent/os/user_name.h"

namespace codex {

namespace {

[[noreturn]] void throw_for(const char* what, const std::filesystem::path& path, int error) {
  throw std::system_error(error, std::system_category(), std::string(what) + " " + path.string());
}

/// Appends to `text` until the end of the file or until it holds `max_bytes`. False, with errno, on an error.
bool read_up_to(int fd, std::size_t max_bytes, std::string& text) {
  std::array<char, 4096> chunk;
  while (text.size() < max_bytes) {
    const ssize_t n = ::read(fd, chunk.data(), std::min(chunk.size(), max_bytes - text.size()));
    if (n == 0) return true;
    if (n > 0) {
      text.append(chunk.data(), static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      throw_for("write", path, errno);
    }
  }
}

/// Removes the temporary file unless it became the real one.
class TemporaryName {
 public:
  explicit TemporaryName(std::string path) : path_(std::move(path)) {}
  ~TemporaryName() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

void make_parents(const std::filesystem::path& path) {
  if (path.empty() || ::access(path.c_str(), F_OK) == 0) return;
  make_parents(path.parent_path());
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) throw_for("mkdir", path, errno);
}

}  // namespace

std::string read_regular_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) throw_for("open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw_for("fstat", path, errno);
  if (!S_ISREG(info.st_mode)) throw_for("not a regular file:", path, EINVAL);
  std::string text;
  if (!read_up_to(fd.get(), max_bytes + 1, text)) throw_for("read", path, errno);
  if (text.size() > max_bytes) throw_for("read", path, EFBIG);
  return text;
}

std::optional<std::string> read_proc_file(int directory_fd, const char* name, std::size_t max_bytes) {
  const int fd = ::openat(directory_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<std::string> text(std::in_place);
  int error = 0;
  if (!read_up_to(fd, max_bytes, *text)) {
    error = errno;
    text.reset();
  }
  ::close(fd);
  if (!text) errno = error;
  return text;
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content, int mode) {
  const auto directory = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::string name = (directory / ("." + path.filename().string() + ".new")).string();
  ::unlink(name.c_str());  // of a writer that was killed
  const UniqueFd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) throw_for("create", name, errno);
  TemporaryName temporary(std::move(name));
  if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) throw_for("fchmod", temporary.path(), errno);
  write_all(fd.get(), content, temporary.path());
  if (::rename(temporary.path().c_str(), path.c_str()) != 0) throw_for("rename to", path, errno);
  temporary.keep();
}

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void make_private_directory(const std::filesystem::path& path) {
  const auto directory = path.has_filename() ? path : path.parent_path();
  make_parents(directory.parent_path());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) throw_for("mkdir", directory, errno);
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && (errno == ENOTDIR || errno == ELOOP)) {
    throw std::runtime_error(directory.string() +
                             " is not a directory (a symbolic link is not followed here). "
                             "Remove it, or choose another directory.");
  }
  struct stat info {};
  if (fd ? ::fstat(fd.get(), &info) != 0 : ::lstat(directory.c_str(), &info) != 0) {
    throw_for("open", directory, errno);
  }
  if (info.st_uid != ::geteuid()) {
    throw std::runtime_error("directory " + directory.string() + " belongs to user " +
                             user_name(info.st_uid) + ", but this is user " + user_name(::geteuid()) +
                             ". Remove it, or choose another directory.");
  }
  if (!fd) throw_for("open", directory, EACCES);
  if ((info.st_mode & 07777) != 0700 && ::fchmod(fd.get(), 0700) != 0) throw_for("fchmod", directory, errno);
}

}  // namespace codex
