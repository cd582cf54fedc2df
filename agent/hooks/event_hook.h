#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/process/command_run.h"
#include "agent/record/event_history.h"
#include "agent/record/logger.h"
#include "exporters/snapshot.h"

namespace codex {

/// Gives every event to the command `on_event`, for people to be notified as they like. Loop thread.
///
/// One command at a time, in the order of the events, each with its event as one line of JSON on stdin and
/// CODEX_AGENT_EVENT, CODEX_AGENT_BACKEND and CODEX_AGENT_STATE in its environment. Nothing waits for it: up
/// to kMaxWaiting events queue up, then the oldest of them is dropped. The newest is what is true now, the
/// `seq` of the next one shows the gap, and the history still has what is missing.
///
/// What a command leaves running in the background keeps the next one from nothing, but has no more time than
/// the command itself; with kMaxLingering of such runs the next one waits after all.
class EventHook {
 public:
  static constexpr std::size_t kMaxWaiting = 64;
  static constexpr std::size_t kMaxLingering = 8;
  /// At the agent's end: first everything in order, then only the newest event of each backend, then SIGKILL.
  static constexpr Duration kPatience = std::chrono::seconds(1);
  static constexpr Duration kLastPatience = std::chrono::seconds(2);

  /// `redactor` and `log` must outlive it. `changed` is called when counts() has changed. `open_files`: the
  /// command's RLIMIT_NOFILE, if it is not to be ours.
  EventHook(EventLoop& loop, EventHookConfig config, const TreeIdentity& commands, const Redactor& redactor,
            Logger& log, std::function<void()> changed, std::optional<rlimit> open_files = {});

  /// Kills what still runs.
  ~EventHook();
  EventHook(const EventHook&) = delete;
  EventHook& operator=(const EventHook&) = delete;

  /// Takes the event; the command starts from the loop, not from here. Without a command it does nothing.
  void add(const LifecycleEvent& event);

  /// The reaper's report of a process that belongs to nobody else.
  void on_reaped(pid_t pid, const ExitStatus& status);

  /// Nothing more is added; calls `done` once everything is delivered, kLastPatience later at the latest.
  void finish(std::function<void()> done);

  /// Events so far by result; all of kEventHookResults are present.
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  struct Waiting {
    std::uint64_t seq = 0;
    std::string backend, event, state, document;
  };

  void step();
  void step_end(TimePoint now);
  void end();
  void start_next();
  void settle(const CommandRun::Result& result);
  void drop_oldest();
  void keep_newest_of_each_backend();
  void arm();
  [[nodiscard]] bool idle() const { return !current_ && waiting_.empty() && lingering_.empty(); }

  EventLoop& loop_;
  EventHookConfig config_;
  TreeIdentity commands_;
  const Redactor& redactor_;
  Logger& log_;
  std::function<void()> changed_;
  std::optional<rlimit> open_files_;
  Counts counts_;
  std::deque<Waiting> waiting_;
  std::unique_ptr<CommandRun> current_;
  /// Their command has ended, something of theirs lives.
  std::vector<std::unique_ptr<CommandRun>> lingering_;
  std::uint64_t current_seq_ = 0;
  std::string last_outcome_;  ///< "" while all is well, else what was logged
  bool dropping_ = false;     ///< that events are dropped has been logged
  std::function<void()> done_;
  std::optional<TimePoint> finishing_since_;
  bool narrowed_ = false;  ///< only the newest events are left
  Timer timer_;            // keep last
};

}  // namespace codex
