#include "agent/os/event_loop.h"

#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <systemd/sd-event.h>

#include <csignal>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "agent/os/check.h"
#include "agent/os/unique_fd.h"

namespace codex {

namespace {

std::uint64_t to_usec(TimePoint t) {
  const auto usec = std::chrono::ceil<std::chrono::microseconds>(t.time_since_epoch()).count();
  return usec > 0 ? static_cast<std::uint64_t>(usec) : 0;
}

/// The time of the loop's iteration; before the first one, the time now.
TimePoint iteration_time(sd_event* event) {
  std::uint64_t usec = 0;
  sd_event_now(event, CLOCK_MONOTONIC, &usec);
  return TimePoint(std::chrono::microseconds(usec));
}

}  // namespace

struct EventLoop::Core {
  sd_event* event = nullptr;
  LoopStats stats;
  std::function<void(std::string_view, std::string_view)> on_error;
  UniqueFd wake;
  sd_event_source* wake_source = nullptr;
  std::mutex mailbox_mutex;
  std::vector<std::function<void()>> mailbox;

  ~Core() {
    sd_event_source_disable_unref(wake_source);
    sd_event_unref(event);
  }

  /// Runs one callback: measures it and stops its exceptions at the loop's border.
  template <typename Fn>
  void guard(std::string_view name, Fn&& fn) noexcept {
    const auto begin = Clock::now();
    try {
      fn();
    } catch (const std::exception& e) {
      report(name, e.what());
    } catch (...) {
      report(name, "unknown exception");
    }
    const auto end = Clock::now();
    stats.last_iteration = std::chrono::system_clock::now();
    if (end - begin > stats.slowest_callback) {
      stats.slowest_callback = end - begin;
      stats.slowest_callback_name = name;
    }
  }

  void report(std::string_view name, std::string_view what) noexcept {
    ++stats.callback_errors;
    try {
      if (on_error) on_error(name, what);
    } catch (...) {  // The handler of last resort may not throw either.
      ++stats.callback_errors;
    }
  }

  void record_lag(Duration lag) {
    const double seconds = lag.count() > 0 ? to_seconds(lag) : 0;
    std::size_t i = 0;
    while (i < LoopStats::kLagBounds.size() && seconds > LoopStats::kLagBounds[i]) ++i;
    ++stats.lag_counts[i];
    stats.lag_sum_seconds += seconds;
  }

  void post(std::function<void()> fn) {
    {
      const std::lock_guard lock(mailbox_mutex);
      mailbox.push_back(std::move(fn));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(wake.get(), &one, sizeof one);
  }

  void deliver_mail() {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const auto n = ::read(wake.get(), &ignored, sizeof ignored);
    std::vector<std::function<void()>> batch;
    {
      const std::lock_guard lock(mailbox_mutex);
      batch.swap(mailbox);
    }
    for (auto& fn : batch) guard("post", fn);
  }
};

EventLoop::EventLoop() : core_(std::make_shared<Core>()) {
  check_negative_errno("sd_event_new", sd_event_new(&core_->event));
  core_->wake = UniqueFd(check("eventfd", ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  check_negative_errno("sd_event_add_io", sd_event_add_io(
                                              core_->event, &core_->wake_source, core_->wake.get(), EPOLLIN,
                                              [](sd_event_source*, int, std::uint32_t, void* data) {
                                                static_cast<Core*>(data)->deliver_mail();
                                                return 0;
                                              },
                                              core_.get()));
}

EventLoop::~EventLoop() = default;

int EventLoop::run() {
  return check_negative_errno("sd_event_loop", sd_event_loop(core_->event));
}

void EventLoop::stop(int exit_code) {
  sd_event_exit(core_->event, exit_code);
}

void EventLoop::run_once(Duration wait) {
  const auto usec = std::chrono::ceil<std::chrono::microseconds>(wait).count();
  check_negative_errno("sd_event_run", sd_event_run(core_->event, static_cast<std::uint64_t>(usec)));
}

TimePoint EventLoop::now() const {
  return iteration_time(core_->event);
}

void EventLoop::post(std::function<void()> fn) {
  core_->post(std::move(fn));
}

std::function<void(std::function<void()>)> EventLoop::poster() const {
  return [weak = std::weak_ptr<Core>(core_)](std::function<void()> fn) {
    if (const auto core = weak.lock()) core->post(std::move(fn));
  };
}

void EventLoop::on_error(std::function<void(std::string_view, std::string_view)> handler) {
  core_->on_error = std::move(handler);
}

void EventLoop::report(std::string_view name, const std::exception_ptr& error) {
  core_->guard(name, [&error] { std::rethrow_exception(error); });
}

const LoopStats& EventLoop::stats() const {
  return core_->stats;
}

sd_event* EventLoop::raw() const {
  return core_->event;
}

// A watch's state is shared with the callback under way, so that the callback may destroy the watch.

struct Timer::Source {
  std::shared_ptr<EventLoop::Core> core;
  std::string name;
  std::function<void()> fire;
  Duration accuracy{};
  sd_event_source* source = nullptr;
  TimePoint due;
  std::weak_ptr<Source> self;

  ~Source() { sd_event_source_disable_unref(source); }
};

Timer::Timer(EventLoop& loop, std::string name, std::function<void()> fire, Priority priority,
             Duration accuracy)
    : source_(std::make_shared<Source>()) {
  source_->core = loop.core();
  source_->name = std::move(name);
  source_->fire = std::move(fire);
  source_->accuracy = accuracy;
  source_->self = source_;
  const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(accuracy).count();
  check_negative_errno("sd_event_add_time",
                       sd_event_add_time(
                           loop.raw(), &source_->source, CLOCK_MONOTONIC, 0, static_cast<std::uint64_t>(usec),
                           [](sd_event_source*, std::uint64_t, void* data) {
                             const auto keep = static_cast<Source*>(data)->self.lock();
                             if (!keep) return 0;
                             keep->core->record_lag(Clock::now() - keep->due - keep->accuracy);
                             keep->core->guard(keep->name, keep->fire);
                             return 0;
                           },
                           source_.get()));
  sd_event_source_set_enabled(source_->source, SD_EVENT_OFF);
  sd_event_source_set_priority(source_->source, static_cast<int>(priority));
  sd_event_source_set_description(source_->source, source_->name.c_str());
}

Timer::~Timer() {
  if (source_) disarm();
}
Timer::Timer(Timer&&) noexcept = default;
Timer& Timer::operator=(Timer&&) noexcept = default;

void Timer::arm_at(TimePoint when) {
  source_->due = when;
  check_negative_errno("sd_event_source_set_time", sd_event_source_set_time(source_->source, to_usec(when)));
  check_negative_errno("sd_event_source_set_enabled",
                       sd_event_source_set_enabled(source_->source, SD_EVENT_ONESHOT));
}

void Timer::arm_after(Duration delay) {
  arm_at(iteration_time(source_->core->event) + delay);
}

void Timer::disarm() {
  sd_event_source_set_enabled(source_->source, SD_EVENT_OFF);
}

bool Timer::armed() const {
  int enabled = 0;
  return sd_event_source_get_enabled(source_->source, &enabled) > 0;
}

struct FdWatch::Source {
  std::shared_ptr<EventLoop::Core> core;
  std::string name;
  std::function<void(std::uint32_t)> ready;
  sd_event_source* source = nullptr;
  std::weak_ptr<Source> self;

  ~Source() { sd_event_source_disable_unref(source); }
};

FdWatch::FdWatch(EventLoop& loop, std::string name, int fd, std::uint32_t events,
                 std::function<void(std::uint32_t)> ready, Priority priority)
    : source_(std::make_shared<Source>()) {
  source_->core = loop.core();
  source_->name = std::move(name);
  source_->ready = std::move(ready);
  source_->self = source_;
  check_negative_errno("sd_event_add_io", sd_event_add_io(
                                              loop.raw(), &source_->source, fd, events,
                                              [](sd_event_source*, int, std::uint32_t revents, void* data) {
                                                const auto keep = static_cast<Source*>(data)->self.lock();
                                                if (keep)
                                                  keep->core->guard(keep->name,
                                                                    [&] { keep->ready(revents); });
                                                return 0;
                                              },
                                              source_.get()));
  sd_event_source_set_priority(source_->source, static_cast<int>(priority));
  sd_event_source_set_description(source_->source, source_->name.c_str());
}

FdWatch::~FdWatch() {
  reset();
}
FdWatch::FdWatch(FdWatch&&) noexcept = default;
FdWatch& FdWatch::operator=(FdWatch&& other) noexcept {
  if (this != &other) {
    reset();
    source_ = std::move(other.source_);
  }
  return *this;
}

void FdWatch::set_events(std::uint32_t events) {
  sd_event_source_set_enabled(source_->source, events == 0 ? SD_EVENT_OFF : SD_EVENT_ON);
  if (events != 0) {
    check_negative_errno("sd_event_source_set_io_events",
                         sd_event_source_set_io_events(source_->source, events));
  }
}

void FdWatch::reset() {
  // The descriptor leaves the epoll set now, even while its callback holds the state: the owner may close it.
  if (source_ && source_->source != nullptr) {
    sd_event_source_disable_unref(source_->source);
    source_->source = nullptr;
  }
  source_.reset();
}

struct SignalWatch::Source {
  std::shared_ptr<EventLoop::Core> core;
  std::function<void()> received;
  sd_event_source* source = nullptr;

  ~Source() { sd_event_source_disable_unref(source); }
};

SignalWatch::SignalWatch(EventLoop& loop, int signal_number, std::function<void()> received)
    : source_(std::make_shared<Source>()) {
  source_->core = loop.core();
  source_->received = std::move(received);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    throw std::system_error(error, std::system_category(), "pthread_sigmask");
  }
  check_negative_errno("sd_event_add_signal", sd_event_add_signal(
                                                  loop.raw(), &source_->source, signal_number,
                                                  [](sd_event_source*, const signalfd_siginfo*, void* data) {
                                                    auto* self = static_cast<Source*>(data);
                                                    self->core->guard("signal", self->received);
                                                    return 0;
                                                  },
                                                  source_.get()));
  sd_event_source_set_priority(source_->source, static_cast<int>(Priority::kUrgent));
}

SignalWatch::~SignalWatch() = default;
SignalWatch::SignalWatch(SignalWatch&&) noexcept = default;
SignalWatch& SignalWatch::operator=(SignalWatch&&) noexcept = default;

}  // namespace codex
