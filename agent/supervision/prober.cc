#include "agent/supervision/prober.h"

#include <algorithm>

namespace codex {

namespace {

using std::chrono::milliseconds;

/// While a start is under way: 20 ms, then slower by half each time, so that a fast backend is ready at once
/// and a slow one is not bothered.
Duration quick_period(int attempts) {
  Duration period = milliseconds(20);
  for (int i = 0; i < attempts && period < milliseconds(500); ++i) period += period / 2;
  return std::min<Duration>(period, milliseconds(500));
}

/// Spreads probes so that they do not all wake the loop and the backend in the same instant.
Duration spread(std::size_t index, Duration period) {
  return std::min<Duration>(period / 8, milliseconds(50)) * static_cast<int>(index);
}

/// Timers share wake-ups within this; it is far below any period (at least 100 ms).
constexpr Duration kAccuracy = milliseconds(5);

}  // namespace

Prober::Prober(const std::vector<ProbeSpec>& specs, const ProbeContext& context, Events events)
    : loop_(context.loop), events_(std::move(events)) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    trackers_.emplace_back(specs[i]);
    schedules_.push_back(
        Schedule{make_probe(specs[i], context),
                 {},
                 false,
                 0,
                 Timer(
                     loop_, "probe." + specs[i].name, [this, i] { ask(i); }, Priority::kNormal, kAccuracy)});
  }
}

void Prober::begin_generation() {
  stop();
  starting_ = true;
  for (std::size_t i = 0; i < trackers_.size(); ++i) {
    trackers_[i].begin_generation();
    schedules_[i].quick_attempts = 0;
    if (trackers_[i].spec().kind == ProbeKind::kDatabase) restart_schedule(i, Duration{0});
  }
}

void Prober::begin_readiness() {
  for (std::size_t i = 0; i < trackers_.size(); ++i) {
    auto& schedule = schedules_[i];
    if (!schedule.under_way && !schedule.timer.armed()) restart_schedule(i, Duration{0});
  }
}

void Prober::begin_running() {
  starting_ = false;
  for (std::size_t i = 0; i < trackers_.size(); ++i) {
    const auto& spec = trackers_[i].spec();
    if (schedules_[i].under_way) continue;
    if (spec.role == ProbeRole::kStartup) {
      schedules_[i].timer.disarm();
      continue;
    }
    restart_schedule(
        i, spec.initial_delay > Duration{0} ? spec.initial_delay : spec.period + spread(i, spec.period));
  }
}

void Prober::ask_http_now() {
  for (std::size_t i = 0; i < trackers_.size(); ++i) {
    const auto& spec = trackers_[i].spec();
    const bool own = spec.kind == ProbeKind::kHttp && spec.own_listener && spec.role != ProbeRole::kStartup;
    if (own && !schedules_[i].under_way) restart_schedule(i, Duration{0});
  }
}

void Prober::forgive(std::size_t index, ProbeTracker::Excuse excuse) {
  trackers_[index].forgive(loop_.now(), std::move(excuse));
}

void Prober::forgive_all() {
  for (auto& tracker : trackers_) tracker.forgive(loop_.now());
}

void Prober::stop() {
  starting_ = false;
  for (auto& schedule : schedules_) {
    schedule.timer.disarm();
    if (schedule.under_way) schedule.probe->cancel();
    schedule.under_way = false;
  }
}

void Prober::restart_schedule(std::size_t index, Duration delay) {
  schedules_[index].timer.arm_after(delay);
}

void Prober::ask(std::size_t index) {
  auto& schedule = schedules_[index];
  if (schedule.under_way) return;
  schedule.under_way = true;
  schedule.began = loop_.now();
  events_.asked(index);
  // Measured from the call, not from the wake-up: our own lateness is not the backend's.
  schedule.probe->start(Clock::now() + trackers_[index].spec().timeout,
                        [this, index](const ProbeResult& result) { finished(index, result); });
}

void Prober::finished(std::size_t index, const ProbeResult& result) {
  auto& schedule = schedules_[index];
  schedule.under_way = false;
  trackers_[index].record(result, schedule.began, std::chrono::system_clock::now());
  const auto& spec = trackers_[index].spec();
  const Duration period = starting_ ? quick_period(schedule.quick_attempts++) : spec.period;
  if (starting_ || spec.role != ProbeRole::kStartup) {
    schedule.timer.arm_at(std::max(schedule.began + period, loop_.now()));
  }
  events_.answered(index);
}

}  // namespace codex
