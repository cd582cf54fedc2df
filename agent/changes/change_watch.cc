#include "agent/changes/change_watch.h"

#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "agent/changes/change_walk.h"
#include "agent/os/check.h"

namespace codex {

/// From start() to the first change or stop(). While a walk is under way the descriptor is not read: the
/// kernel keeps what happens, until it is known which directory it is about.
struct ChangeWatch::Session : std::enable_shared_from_this<Session> {
  explicit Session(ChangeWatch& of) : owner(of), scope(of.scope_), inotify(std::make_shared<Inotify>()) {
    ::clock_gettime(CLOCK_REALTIME, &since);
  }

  /// To be called again after kAgain while something is wanting.
  void begin() {
    if (walking) return again();
    if (!inotify->fd) inotify->fd = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify->fd) {
      const int error = errno;
      if (is_shortage(error)) again();
      return limit_soon(error == EMFILE ? "no more inotify instances or descriptors; see the sysctl "
                                          "fs.inotify.max_user_instances and ulimit -n"
                                        : std::string("inotify_init1: ") + std::strerror(error));
    }
    walk(std::nullopt, since);
  }

  void again() { owner.again_.arm_after(kAgain); }

  void limit_soon(const std::string& reason) {
    owner.loop_.post([weak = weak_from_this(), reason] {
      if (const auto self = weak.lock()) self->owner.limit(reason);
    });
  }

  /// `begin`: new directories; without it everything.
  void walk(std::optional<std::deque<ScopeDirectory>> begin, std::optional<timespec> from) {
    walking = true;
    if (watch) watch.set_events(0);
    const std::size_t known = begin ? watched.size() : 0;
    const std::size_t most = owner.most_directories_ - std::min(known, owner.most_directories_);
    const bool accepted = owner.disk_.submit([inotify = inotify, scope = scope, begin = std::move(begin),
                                              most, from, post = owner.loop_.poster(),
                                              weak = weak_from_this()] {
      ChangeWalk found;
      std::optional<ChangeScope> resolved;
      try {
        resolved = begin ? scope : scope.resolved();
        found = walk_and_watch(*inotify, *resolved, begin.value_or(std::deque{resolved->root()}), most, from);
      } catch (const std::exception& error) {
        found.limited = error.what();
      }
      post([weak, found = std::move(found), resolved = resolved.value_or(scope)]() mutable {
        if (const auto self = weak.lock()) self->walked(std::move(found), std::move(resolved));
      });
    });
    if (accepted) return;
    limit_soon("the disk is too slow to look for changes");
    resume();
  }

  void walked(ChangeWalk found, ChangeScope resolved) {
    scope = std::move(resolved);
    for (auto& [wd, directory] : found.watched) watched.try_emplace(wd, std::move(directory));
    resume();
    if (found.changed) note();
    if (found.shortage) again();
    if (found.full) {
      found.limited =
          "more than " + std::to_string(owner.most_directories_) + " directories below " + scope.root().path;
    }
    if (!found.limited.empty()) owner.limit(found.limited);  // Last: it may be the end of us.
  }

  void resume() {
    walking = false;
    if (watch) return watch.set_events(EPOLLIN);
    try {
      watch = FdWatch(
          owner.loop_, "inotify", inotify->fd.get(), EPOLLIN, [this](std::uint32_t) { read(); },
          Priority::kLow);
    } catch (const std::system_error& error) {
      limit_soon(error.what());
    }
  }

  void read() {
    alignas(inotify_event) std::array<char, 16384> buffer;
    const ssize_t n = ::read(inotify->fd.get(), buffer.data(), buffer.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      watch.reset();
      return limit_soon(std::string("inotify: ") + std::strerror(errno));
    }
    std::deque<ScopeDirectory> fresh;
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      take(*event, fresh);
      at += sizeof(inotify_event) + event->len;
    }
    if (!fresh.empty()) walk(std::move(fresh), std::nullopt);
  }

  void take(const inotify_event& event, std::deque<ScopeDirectory>& fresh) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) return note();  // So much that it was lost.
    const auto found = watched.find(event.wd);
    if (found == watched.end()) return;
    const ScopeDirectory directory = found->second;
    if ((event.mask & IN_IGNORED) != 0) watched.erase(found);
    const bool is_root = directory.path == scope.root().path;
    if (is_root && (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) return note();
    if (event.len == 0) return;

    const std::string_view name = event.name;
    const bool is_directory = (event.mask & IN_ISDIR) != 0;
    if (!scope.concerns(directory, name, is_directory)) return;
    const bool may_be_entered = !directory.flat && (is_directory || name == "node_modules");
    if (may_be_entered && (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
      fresh.push_back(ChangeScope::child(directory, name));
    }
    // Of a directory that was made or removed only the files count; one that was moved takes its files along.
    const bool moved = (event.mask & (IN_MOVED_FROM | IN_MOVED_TO)) != 0;
    if (!is_directory || directory.flat || moved) note();
  }

  void note() {
    const TimePoint now = owner.loop_.now();
    if (!first) first = now;
    owner.quiet_.arm_at(std::min(now + kQuiet, *first + kLongest));
  }

  ChangeWatch& owner;
  ChangeScope scope;
  timespec since{};  ///< CLOCK_REALTIME: what changes from then on counts
  std::shared_ptr<Inotify> inotify;
  std::map<int, ScopeDirectory> watched;
  bool walking = false;
  std::optional<TimePoint> first;
  FdWatch watch;  // keep last
};

ChangeWatch::ChangeWatch(EventLoop& loop, Worker& disk, std::filesystem::path root,
                         std::vector<std::filesystem::path> excluded, Events events,
                         std::size_t most_directories)
    : loop_(loop),
      disk_(disk),
      scope_(std::move(root), std::move(excluded)),
      events_(std::move(events)),
      most_directories_(most_directories),
      quiet_(loop, "change watch", [this] { told(); }),
      again_(loop, "change watch again", [this] {
        if (const auto session = session_) session->begin();
      }) {}

ChangeWatch::~ChangeWatch() {
  stop();
}

void ChangeWatch::start() {
  if (session_) return;
  limited_.clear();
  session_ = std::make_shared<Session>(*this);
  session_->begin();
}

void ChangeWatch::stop() {
  if (!session_) return;
  const auto session = std::exchange(session_, nullptr);
  quiet_.disarm();
  again_.disarm();
  session->watch.reset();
  session->inotify->cancelled = true;
  // Closing it lets go of every watched directory, which takes a while.
  [[maybe_unused]] const bool accepted = disk_.submit([inotify = std::move(session->inotify)] {});
}

bool ChangeWatch::complete() const {
  return session_ && session_->watch && !session_->walking;
}

void ChangeWatch::limit(const std::string& reason) {
  if (!limited_.empty()) return;
  limited_ = reason;
  if (const auto limited = events_.limited) limited();
}

void ChangeWatch::told() {
  const auto changed = events_.changed;
  stop();
  changed();
}

}  // namespace codex
