#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace codex {

/// One thread with a bounded mailbox, for calls that may block: file writes, fsync, name resolution.
/// Jobs get values and hand values back through EventLoop::post(); they share nothing else.
/// An exception that leaves a job is dropped: a job reports its own trouble. All signals but the thread's
/// own faults are blocked in the thread.
class Worker {
 public:
  /// `max_jobs`: jobs waiting at most; a job above that is refused, never waited for.
  Worker(std::string name, std::size_t max_jobs);

  /// Finishes the jobs already accepted, for at most about one second, then gives the thread up
  /// (it may be stuck in a frozen file system; the process is about to end).
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// False if the mailbox is full or the worker is ending: the caller counts and drops. Any thread.
  [[nodiscard]] bool submit(std::function<void()> job);

  /// submit() as a value that may outlive the worker, for a job that submits its own continuation; refuses
  /// everything once the worker is ending.
  [[nodiscard]] std::function<bool(std::function<void()>)> submitter() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace codex
