#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/os/clock.h"
#include "agent/os/event_loop.h"

namespace codex {

/// Goes off once, at a point of CLOCK_MONOTONIC. Destroying or disarming it guarantees that it does not.
class Alarm {
 public:
  virtual ~Alarm() = default;
  virtual void arm_at(TimePoint when) = 0;
  virtual void disarm() = 0;
  [[nodiscard]] virtual bool armed() const = 0;
};

/// The time and the alarms of whoever waits: those of a loop, or of a test that lets time pass as it likes.
/// Loop thread.
class Schedule {
 public:
  virtual ~Schedule() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;      ///< for logic
  [[nodiscard]] virtual WallTime wall_now() const = 0;  ///< to be shown
  /// What that will say in a while, or has said, as far as one can tell now.
  [[nodiscard]] WallTime wall_in(Duration duration) const {
    return wall_now() + std::chrono::duration_cast<WallTime::duration>(duration);
  }
  /// `fire` is called from the loop, and may arm the alarm anew or destroy it. Must not outlive the schedule.
  [[nodiscard]] virtual std::unique_ptr<Alarm> alarm(std::string name, std::function<void()> fire,
                                                     Priority priority = Priority::kNormal,
                                                     Duration accuracy = std::chrono::milliseconds(1)) = 0;
};

/// The kernel's clocks, and timers of `loop`.
class LoopSchedule : public Schedule {
 public:
  explicit LoopSchedule(EventLoop& loop) : loop_(loop) {}
  [[nodiscard]] TimePoint now() const override { return Clock::now(); }
  [[nodiscard]] WallTime wall_now() const override { return std::chrono::system_clock::now(); }
  [[nodiscard]] std::unique_ptr<Alarm> alarm(std::string name, std::function<void()> fire, Priority priority,
                                             Duration accuracy) override;

 private:
  EventLoop& loop_;
};

}  // namespace codex
