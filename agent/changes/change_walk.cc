#include "agent/changes/change_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <tuple>

#include "agent/os/check.h"

namespace codex {

namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

bool later(const timespec& a, const timespec& b) {
  return std::tie(a.tv_sec, a.tv_nsec) > std::tie(b.tv_sec, b.tv_nsec);
}

class Walker {
 public:
  Walker(const Inotify& inotify, const ChangeScope& scope, std::size_t most, std::optional<timespec> since)
      : inotify_(inotify), scope_(scope), most_(most), since_(since) {}

  ChangeWalk walk(std::deque<ScopeDirectory> waiting) {
    for (; !waiting.empty() && !inotify_.cancelled; waiting.pop_front()) {
      if (found_.watched.size() >= most_) {
        found_.full = true;
        break;
      }
      const ScopeDirectory& directory = waiting.front();
      if (const int error = watch(directory); error == 0) {
        read(directory, waiting);
      } else if (!tolerable(error, directory)) {
        break;
      }
    }
    return std::move(found_);
  }

 private:
  /// Only the root and a node_modules may be symbolic links.
  [[nodiscard]] bool may_be_link(const ScopeDirectory& directory) const {
    return directory.flat || directory.path == scope_.root().path;
  }

  /// 0 or the errno of inotify_add_watch(2).
  int watch(const ScopeDirectory& directory) {
    const std::uint32_t mask = kEvents | (may_be_link(directory) ? 0U : IN_DONT_FOLLOW);
    const int wd = ::inotify_add_watch(inotify_.fd.get(), directory.path.c_str(), mask);
    if (wd < 0) return errno;
    found_.watched.emplace_back(wd, directory);
    return 0;
  }

  /// A directory that has gone again or is not ours to read says nothing; a full table does.
  bool tolerable(int error, const ScopeDirectory& directory) {
    if (error == ENOSPC) {
      found_.limited = "no more inotify watches; raise the sysctl fs.inotify.max_user_watches";
      return false;
    }
    if (is_shortage(error) || directory.path == scope_.root().path) {
      found_.shortage = is_shortage(error);
      found_.limited = "cannot watch " + directory.path + ": " + std::strerror(error);
      return false;
    }
    return true;
  }

  void read(const ScopeDirectory& directory, std::deque<ScopeDirectory>& waiting) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (may_be_link(directory) ? 0 : O_NOFOLLOW);
    UniqueFd fd(::open(directory.path.c_str(), flags));
    if (!fd && is_shortage(errno)) {
      found_.shortage = true;
      found_.limited = "cannot read " + directory.path + ": " + std::strerror(errno);
    }
    if (!fd) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd.get()), ::closedir);
    if (!entries) return;
    const int at = fd.release();  // closedir() closes it
    if (!scope_.excludes_in(directory)) look(at, "", true);
    while (const dirent* entry = ::readdir(entries.get())) {
      const std::string_view name = entry->d_name;
      if (inotify_.cancelled) return;
      if (name == "." || name == "..") continue;
      const bool is_directory = is_directory_to_enter(at, *entry);
      if (!scope_.concerns(directory, name, is_directory)) continue;
      if (is_directory && !directory.flat) {
        waiting.push_back(ChangeScope::child(directory, name));
      } else {
        look(at, entry->d_name, is_directory);
      }
    }
  }

  static bool is_directory_to_enter(int at, const dirent& entry) {
    if (entry.d_type == DT_DIR) return true;
    const bool link = entry.d_type == DT_LNK && std::strcmp(entry.d_name, "node_modules") == 0;
    if (entry.d_type != DT_UNKNOWN && !link) return false;
    struct stat info {};
    return ::fstatat(at, entry.d_name, &info, link ? 0 : AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
  }

  /// Whether the entry, or with "" the directory itself, has changed since then. Times in the future are left
  /// over from a clock that was wrong.
  void look(int at, const char* name, bool is_directory) {
    if (found_.changed) return;
    if (!since_) {
      found_.changed = *name != '\0';
      return;
    }
    struct stat info {};
    if (::fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) return;
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const timespec& time = is_directory ? info.st_mtim : info.st_ctim;
    found_.changed = later(time, *since_) && !later(time, now);
  }

  const Inotify& inotify_;
  const ChangeScope& scope_;
  std::size_t most_;
  std::optional<timespec> since_;
  ChangeWalk found_;
};

}  // namespace

ChangeWalk walk_and_watch(const Inotify& inotify, const ChangeScope& scope, std::deque<ScopeDirectory> begin,
                          std::size_t most, std::optional<timespec> since) {
  return Walker(inotify, scope, most, since).walk(std::move(begin));
}

}  // namespace codex
