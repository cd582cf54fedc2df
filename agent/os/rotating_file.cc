#include "agent/os/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/files.h"
#include "agent/os/unique_fd.h"

namespace codex {

namespace {

constexpr std::size_t kMaxPending = std::size_t{4} << 20;
constexpr auto kRetryPause = std::chrono::seconds(1);

/// How many of the first bytes of `text`, whole lines if it has any, fit into `room`; 0 if none do.
std::size_t whole_lines_within(std::string_view text, std::uint64_t room) {
  if (text.size() <= room) return text.size();
  const std::size_t end = text.substr(0, static_cast<std::size_t>(room)).rfind('\n');
  return end == std::string_view::npos ? 0 : end + 1;
}

/// Where a file ends: device, inode, size. One small write(2), so a mark in a file is never half of it.
using End = std::array<std::uint64_t, 3>;

End end_of(const struct stat& file) {
  return {file.st_dev, file.st_ino, static_cast<std::uint64_t>(file.st_size)};
}

}  // namespace

/// Everything below `mutex` is shared with append(); everything above belongs to the worker's thread.
struct RotatingFile::State : std::enable_shared_from_this<State> {
  std::filesystem::path path, mark;
  std::uint64_t max_bytes = 0;
  int keep = 0;
  std::function<bool(std::function<void()>)> submit;

  std::filesystem::path directory;  ///< resolved once: a symbolic link put there later is refused
  std::string name;
  UniqueFd directory_fd, fd;
  struct stat opened {};
  std::uint64_t size = 0;
  char last_byte = '\n';
  bool torn = false;  ///< the file ends in half a line, because the rest was dropped
  std::optional<TimePoint> retry_at;

  std::mutex mutex;
  std::string pending;
  std::vector<std::function<void()>> dones;  ///< of `pending`
  bool scheduled = false;
  RotatingFileStats stats;

  /// The job: writes what is pending, and goes to the end of the queue while there is more, so that one busy
  /// file does not keep the worker from the others.
  void drain() {
    for (;;) {
      std::string batch;
      std::vector<std::function<void()>> written;
      {
        const std::lock_guard lock(mutex);
        batch.swap(pending);
        written.swap(dones);
        if (batch.empty() && written.empty()) {
          scheduled = false;
          return;
        }
      }
      try {
        write(batch);
      } catch (const std::bad_alloc&) {  // A moment without memory must not end the writing for good.
        drop(batch.size());
      }
      for (const auto& done : written) done();
      if (last_byte != '\n' && !torn) mark_end();
      if (submit([self = shared_from_this()] { self->drain(); })) return;
    }
  }

  void write(std::string_view batch) {
    while (!batch.empty()) {
      if (!ensure_open()) return drop(batch.size());
      const std::uint64_t room = max_bytes > size ? max_bytes - size : 0;
      const bool rotated = max_bytes > 0 && S_ISREG(opened.st_mode);
      std::size_t part = rotated ? whole_lines_within(batch, room) : batch.size();
      if (part == 0 && size > 0) {
        if (!rotate()) return drop(batch.size());
        continue;
      }
      if (part == 0) part = static_cast<std::size_t>(std::min<std::uint64_t>(batch.size(), max_bytes));
      std::string_view unwritten = batch.substr(0, part);
      batch.remove_prefix(part);
      if (!write_part(unwritten)) return drop(unwritten.size() + batch.size());
    }
  }

  /// Takes from the front of `part` what was written.
  bool write_part(std::string_view& part) {
    std::string_view heal = torn ? "\n" : "";
    int error = put(heal);
    if (error == 0) error = put(part);
    torn = error != 0 && last_byte != '\n';
    if (error == 0) {
      const std::lock_guard lock(mutex);
      stats.last_error.clear();
    } else if (error == ENOSPC || error == EDQUOT) {
      note("write", error);  // Heals under the open file.
    } else {
      give_up_for_now("write", error);
    }
    return error == 0;
  }

  /// Returns 0 or an errno.
  int put(std::string_view& bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return n == 0 ? EIO : errno;
      const auto written = static_cast<std::size_t>(n);
      last_byte = bytes[written - 1];
      bytes.remove_prefix(written);
      size += written;
      const std::lock_guard lock(mutex);
      stats.bytes_written += written;
    }
    return 0;
  }

  /// False if there is no file to write to; tries at most once a second.
  bool ensure_open() {
    struct stat named {};
    if (fd && ::lstat((directory / name).c_str(), &named) == 0 && is_same_file(named, opened)) return true;
    fd.reset();
    if (retry_at && Clock::now() < *retry_at) return false;
    retry_at.reset();
    return open_directory() && open_file();
  }

  bool open_directory() {
    const auto wanted = directory.empty() ? path.parent_path() : directory;
    if (!make_directories(wanted)) return give_up_for_now("make the directory of", errno);
    std::error_code error;
    if (directory.empty()) directory = std::filesystem::canonical(wanted, error);
    if (error) return give_up_for_now("open the directory of", error.value());
    directory_fd.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return directory_fd || give_up_for_now("open the directory of", errno);
  }

  bool open_file() {
    // O_NONBLOCK: a FIFO put there must not hang the open.
    constexpr int kFlags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    fd.reset(::openat(directory_fd.get(), name.c_str(), kFlags));
    if (!fd && errno == ENOENT) {
      fd.reset(::openat(directory_fd.get(), name.c_str(), kFlags | O_CREAT | O_EXCL, 0640));
      if (fd) ::fchmod(fd.get(), 0640);  // Whatever the umask; without it the file is merely more private.
    }
    if (!fd) return give_up_for_now("open", errno);
    if (::fstat(fd.get(), &opened) != 0) return give_up_for_now("fstat", errno);
    if (!S_ISREG(opened.st_mode) && !S_ISCHR(opened.st_mode)) return give_up_for_now("append to", EINVAL);
    size = S_ISREG(opened.st_mode) ? static_cast<std::uint64_t>(opened.st_size) : 0;
    last_byte = size > 0 ? read_last_byte() : '\n';
    torn = last_byte != '\n' && !is_marked();
    return true;
  }

  /// '\n' if it cannot be read.
  char read_last_byte() const {
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const UniqueFd reader(::openat(directory_fd.get(), name.c_str(), kFlags));
    char last = '\n';
    if (!reader || ::pread(reader.get(), &last, 1, static_cast<off_t>(size) - 1) != 1) return '\n';
    return last;
  }

  /// After the bytes were told to be written: a process killed in between rather ends a line too many.
  void mark_end() const {
    struct stat now {};
    if (mark.empty() || !fd || ::fstat(fd.get(), &now) != 0) return;
    const UniqueFd writer(
        ::open(mark.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    const End end = end_of(now);
    [[maybe_unused]] const ssize_t n = ::pwrite(writer.get(), end.data(), sizeof end, 0);
  }

  bool is_marked() const {
    const UniqueFd reader(
        mark.empty() ? -1 : ::open(mark.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    End end{};
    return reader && ::pread(reader.get(), end.data(), sizeof end, 0) == sizeof end && end == end_of(opened);
  }

  static bool make_directories(const std::filesystem::path& wanted) {
    if (wanted.empty() || ::access(wanted.c_str(), F_OK) == 0) return true;
    if (!make_directories(wanted.parent_path())) return false;
    return ::mkdir(wanted.c_str(), 0750) == 0 || errno == EEXIST;
  }

  /// file.N-1 becomes file.N ... file becomes file.1; the next write opens a new one.
  bool rotate() {
    const auto numbered = [this](int i) { return i == 0 ? name : name + "." + std::to_string(i); };
    const int at = directory_fd.get();
    bool moved = keep > 0 || ::unlinkat(at, name.c_str(), 0) == 0 || errno == ENOENT;
    for (int i = keep; i > 0 && moved; --i) {
      moved = ::renameat(at, numbered(i - 1).c_str(), at, numbered(i).c_str()) == 0 || errno == ENOENT;
    }
    // Without room for it the limit on the disk's use would be void: drop rather than grow.
    if (!moved) return give_up_for_now("rotate", errno);
    fd.reset();
    return true;
  }

  /// Always false, for the caller to return.
  bool give_up_for_now(const char* what, int error) {
    fd.reset();
    retry_at = Clock::now() + kRetryPause;
    note(what, error);
    return false;
  }

  void note(const char* what, int error) {
    std::string text = std::string(what) + " " + path.string() + ": " + std::system_category().message(error);
    const std::lock_guard lock(mutex);
    stats.last_error = std::move(text);
  }

  void drop(std::size_t bytes) {
    const std::lock_guard lock(mutex);
    stats.bytes_dropped += bytes;
  }
};

RotatingFile::RotatingFile(Worker& worker, std::filesystem::path path, std::uint64_t max_bytes, int keep)
    : state_(std::make_shared<State>()) {
  std::error_code ignored;
  // The working directory may change or vanish later.
  const auto absolute = std::filesystem::absolute(path, ignored);
  state_->path = ignored ? std::move(path) : absolute;
  state_->name = state_->path.filename().string();
  state_->max_bytes = max_bytes;
  state_->keep = keep;
  state_->submit = worker.submitter();
}

void RotatingFile::continue_lines(std::filesystem::path mark) {
  const std::lock_guard lock(state_->mutex);
  state_->mark = std::move(mark);
}

void RotatingFile::append(std::string bytes, std::function<void()> done) {
  {
    const std::lock_guard lock(state_->mutex);
    if (bytes.size() > kMaxPending - std::min(kMaxPending, state_->pending.size())) {
      state_->stats.bytes_dropped += bytes.size();
      state_->stats.last_error = "write " + state_->path.string() + ": the disk does not keep up";
    } else {
      state_->pending += bytes;
      if (done) state_->dones.push_back(std::exchange(done, {}));
    }
    // Should the mailbox be full, the next append() asks again.
    if (!state_->scheduled) {
      state_->scheduled = state_->submit([state = state_] { state->drain(); });
    }
  }
  if (done) done();
}

RotatingFileStats RotatingFile::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

const std::filesystem::path& RotatingFile::path() const {
  return state_->path;
}

}  // namespace codex
