#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/changes/change_scope.h"
#include "agent/changes/project_changes.h"
#include "agent/os/event_loop.h"
#include "agent/os/worker.h"

namespace codex {

/// Calls back once when somebody has changed a file below a directory (inotify(7)); see ChangeScope for what
/// counts. Loop thread; what may block on a slow disk is done by a Worker.
///
/// What cannot be watched for want of descriptors is tried again every kAgain, and what changed meanwhile
/// counts. An empty new directory is no change, a file in it is. Changes that come in a burst are one: it is
/// told kQuiet after the last of them, kLongest after the first at the latest.
class ChangeWatch : public ProjectChanges {
 public:
  static constexpr std::size_t kMostDirectories = 2000;
  static constexpr Duration kQuiet = std::chrono::milliseconds(200);
  static constexpr Duration kLongest = std::chrono::seconds(1);
  static constexpr Duration kAgain = std::chrono::seconds(1);

  /// `root` and `excluded` are absolute. `excluded`: our own files and directories; their rotations are
  /// excluded with them. Everything outlives the watch.
  ChangeWatch(EventLoop& loop, Worker& disk, std::filesystem::path root,
              std::vector<std::filesystem::path> excluded, Events events,
              std::size_t most_directories = kMostDirectories);
  ~ChangeWatch() override;
  ChangeWatch(const ChangeWatch&) = delete;
  ChangeWatch& operator=(const ChangeWatch&) = delete;

  /// Never throws for trouble with the disk or the kernel's limits: limited() says it, maybe later.
  void start() override;
  void stop() override;

  /// From start() until the first change is told, or stop().
  [[nodiscard]] bool started() const { return session_ != nullptr; }

  /// What can be watched is being watched: the walk through the directories is over.
  [[nodiscard]] bool complete() const;

  /// What could be watched is watched nevertheless.
  [[nodiscard]] const std::string& limited() const override { return limited_; }

 private:
  struct Session;

  void limit(const std::string& reason);
  void told();

  EventLoop& loop_;
  Worker& disk_;
  ChangeScope scope_;
  Events events_;
  std::size_t most_directories_;
  std::string limited_;
  std::shared_ptr<Session> session_;
  Timer quiet_, again_;  // keep last
};

}  // namespace codex
