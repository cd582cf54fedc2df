#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <utility>

#include "agent/os/event_loop.h"
#include "agent/os/worker.h"

namespace codex {

/// One call that may block, done by a Worker, its value handed back on the loop.
///
/// The worker is shared and serves one job at a time: an call that did not begin failed because of somebody
/// else's hanging job, which says nothing about what it was to find out. Loop thread.
class WorkerCall {
 public:
  /// Runs `work()` on the worker, then `then(std::future<T>)` on the loop; the future is ready and rethrows
  /// what `work` threw. `work` must hold values only. False if the worker's mailbox is full.
  template <typename Work, typename Then>
  [[nodiscard]] bool send(EventLoop& loop, Worker& worker, Work work, Then then) {
    using Value = decltype(work());
    const auto begun = std::make_shared<std::atomic<bool>>(false);
    begun_ = begun;
    sent_ = Clock::now();
    const auto task = std::make_shared<std::packaged_task<Value()>>(std::move(work));
    return worker.submit([post = loop.poster(), begun, task, then = std::move(then)] {
      begun->store(true);
      (*task)();
      post([task, then]() mutable { then(task->get_future()); });
    });
  }

  /// True if the worker is occupied by other jobs: it did not take this one up for a noticeable time.
  [[nodiscard]] bool starved() const {
    return begun_ && !begun_->load() && Clock::now() - sent_ > std::chrono::milliseconds(100);
  }

 private:
  TimePoint sent_{};
  std::shared_ptr<const std::atomic<bool>> begun_;
};

}  // namespace codex
