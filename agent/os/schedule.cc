#include "agent/os/schedule.h"

#include <utility>

namespace codex {

namespace {

class LoopAlarm : public Alarm {
 public:
  explicit LoopAlarm(Timer timer) : timer_(std::move(timer)) {}
  void arm_at(TimePoint when) override { timer_.arm_at(when); }
  void disarm() override { timer_.disarm(); }
  [[nodiscard]] bool armed() const override { return timer_.armed(); }

 private:
  Timer timer_;
};

}  // namespace

std::unique_ptr<Alarm> LoopSchedule::alarm(std::string name, std::function<void()> fire, Priority priority,
                                           Duration accuracy) {
  return std::make_unique<LoopAlarm>(Timer(loop_, std::move(name), std::move(fire), priority, accuracy));
}

}  // namespace codex
