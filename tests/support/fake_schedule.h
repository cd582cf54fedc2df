#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "agent/os/schedule.h"

namespace codex::testing {

/// A clock that stands until the test lets time pass. Alarms go off in the order of their times, each at its
/// own.
class FakeSchedule : public Schedule {
 public:
  WallTime wall_at_first{std::chrono::hours(24)};  ///< what the wall clock said when it was made

  [[nodiscard]] TimePoint now() const override { return now_; }
  [[nodiscard]] WallTime wall_now() const override {
    return wall_at_first + std::chrono::duration_cast<WallTime::duration>(now_ - kBegin);
  }
  [[nodiscard]] std::unique_ptr<Alarm> alarm(std::string name, std::function<void()> fire,
                                             Priority /*priority*/, Duration /*accuracy*/) override {
    auto setting = std::make_shared<Setting>(Setting{std::move(name), std::move(fire), std::nullopt});
    settings_.push_back(setting);
    return std::make_unique<FakeAlarm>(std::move(setting));
  }

  void pass(Duration duration) {
    const TimePoint end = now_ + duration;
    int at_once = 0;
    while (const auto due = next(end)) {
      at_once = *due->at > now_ ? 0 : at_once + 1;
      if (at_once > 1000) throw std::logic_error("no time passes between the alarms of " + due->name);
      now_ = std::max(now_, *due->at);
      due->at.reset();
      due->fire();
    }
    now_ = end;
  }

  /// When the alarm of this name goes off; nullopt while it is not armed.
  [[nodiscard]] std::optional<Duration> due_in(const std::string& name) const {
    for (const auto& weak : settings_) {
      const auto setting = weak.lock();
      if (setting && setting->name == name && setting->at) return *setting->at - now_;
    }
    return std::nullopt;
  }

 private:
  static constexpr TimePoint kBegin{std::chrono::hours(1000)};
  struct Setting {
    std::string name;
    std::function<void()> fire;
    std::optional<TimePoint> at;
  };
  class FakeAlarm : public Alarm {
   public:
    explicit FakeAlarm(std::shared_ptr<Setting> setting) : setting_(std::move(setting)) {}
    ~FakeAlarm() override { setting_->at.reset(); }
    FakeAlarm(const FakeAlarm&) = delete;
    FakeAlarm& operator=(const FakeAlarm&) = delete;
    void arm_at(TimePoint when) override { setting_->at = when; }
    void disarm() override { setting_->at.reset(); }
    [[nodiscard]] bool armed() const override { return setting_->at.has_value(); }

   private:
    std::shared_ptr<Setting> setting_;
  };

  std::shared_ptr<Setting> next(TimePoint end) const {
    std::shared_ptr<Setting> first;
    for (const auto& weak : settings_) {
      const auto setting = weak.lock();
      if (setting && setting->at && *setting->at <= end && (!first || *setting->at < *first->at))
        first = setting;
    }
    return first;
  }

  TimePoint now_ = kBegin;
  std::vector<std::weak_ptr<Setting>> settings_;
};

}  // namespace codex::testing
