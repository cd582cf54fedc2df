#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/os/clock.h"
#include "agent/os/loop_stats.h"

struct sd_event;

namespace codex {

/// Order among callbacks that are ready at the same time (sd_event_source_set_priority(3)).
enum class Priority : int {
  kUrgent = -10,  ///< child exits, commands of an operator
  kNormal = 0,    ///< probes, timers, scrapes
  kLow = 10,      ///< a backend's output
};

/// The one loop that owns everything (sd-event(3) underneath). All members belong to the thread that
/// calls run(), except post(). An exception that leaves a callback is counted, handed to on_error() and
/// ends nothing.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs until stop(); returns its argument. Throws std::system_error if the kernel refuses to poll.
  int run();

  /// Makes run() return after the callback under way.
  void stop(int exit_code);

  /// Runs one iteration, waiting at most `wait`; for tests and for draining at shutdown.
  void run_once(Duration wait);

  /// The time of this iteration; read once from the kernel, so equal for all callbacks of one wake-up.
  [[nodiscard]] TimePoint now() const;

  /// Calls `fn` on the loop's thread, soon. The only member that other threads may call.
  void post(std::function<void()> fn);

  /// post() as a value that may outlive the loop, for threads that nobody waits for; then it does nothing.
  [[nodiscard]] std::function<void(std::function<void()>)> poster() const;

  /// Called with the callback's name and the exception's text. Default: nothing.
  void on_error(std::function<void(std::string_view name, std::string_view what)> handler);

  /// Counts and tells an exception that was caught on the way, as one that left the callback `name`.
  void report(std::string_view name, const std::exception_ptr& error);

  [[nodiscard]] const LoopStats& stats() const;

  /// For the watches below only.
  struct Core;
  [[nodiscard]] const std::shared_ptr<Core>& core() const { return core_; }
  [[nodiscard]] sd_event* raw() const;

 private:
  std::shared_ptr<Core> core_;
};

/// One-shot timer on CLOCK_MONOTONIC. Destroying or disarming it guarantees that `fire` is not called.
/// `fire` may re-arm or destroy the timer. Declare timers last among members, so that they die first.
class Timer {
 public:
  /// `accuracy`: how much later than asked the kernel may wake us, to share wake-ups with other timers.
  Timer(EventLoop& loop, std::string name, std::function<void()> fire, Priority priority = Priority::kNormal,
        Duration accuracy = std::chrono::milliseconds(1));
  ~Timer();
  Timer(Timer&&) noexcept;
  Timer& operator=(Timer&&) noexcept;

  void arm_at(TimePoint when);
  void arm_after(Duration delay);  ///< counted from EventLoop::now()
  void disarm();
  [[nodiscard]] bool armed() const;

 private:
  struct Source;
  std::shared_ptr<Source> source_;
};

/// Calls `ready` with the epoll events (EPOLLIN, EPOLLOUT, EPOLLHUP ...) of a descriptor, level-triggered.
/// Does not own the descriptor: destroy the watch before closing it. `ready` may destroy the watch.
class FdWatch {
 public:
  FdWatch() = default;  ///< watches nothing
  FdWatch(EventLoop& loop, std::string name, int fd, std::uint32_t events,
          std::function<void(std::uint32_t)> ready, Priority priority = Priority::kNormal);
  ~FdWatch();
  FdWatch(FdWatch&&) noexcept;
  FdWatch& operator=(FdWatch&&) noexcept;

  void set_events(std::uint32_t events);  ///< 0 pauses the watch
  void reset();
  explicit operator bool() const { return source_ != nullptr; }

 private:
  struct Source;
  std::shared_ptr<Source> source_;
};

/// Calls `received` on the loop when the process gets `signal_number`, which is blocked for the process from
/// then on (signalfd(2)). Create before any thread is started.
class SignalWatch {
 public:
  SignalWatch(EventLoop& loop, int signal_number, std::function<void()> received);
  ~SignalWatch();
  SignalWatch(SignalWatch&&) noexcept;
  SignalWatch& operator=(SignalWatch&&) noexcept;

 private:
  struct Source;
  std::shared_ptr<Source> source_;
};

}  // namespace codex
