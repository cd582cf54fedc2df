#include "agent/policy/probe_schedule.h"

#include <algorithm>
#include <utility>

namespace codex {

namespace {

using std::chrono::milliseconds;

Duration quick_period(int attempts) {
  Duration period = milliseconds(20);
  for (int i = 0; i < attempts && period < milliseconds(500); ++i) period += period / 2;
  return std::min<Duration>(period, milliseconds(500));
}

Duration spread(std::size_t index, Duration period) {
  return std::min<Duration>(period / 8, milliseconds(50)) * static_cast<int>(index);
}

}  // namespace

ProbeSchedule::ProbeSchedule(ProbeSpec spec, std::size_t index) : spec_(std::move(spec)), index_(index) {}

void ProbeSchedule::begin_generation(TimePoint now) {
  stop();
  starting_ = true;
  quick_attempts_ = 0;
  if (spec_.kind == ProbeKind::kDatabase) due_ = now;
}

void ProbeSchedule::begin_readiness(TimePoint now) {
  if (!under_way_ && !due_) due_ = now;
}

void ProbeSchedule::begin_running(TimePoint now) {
  starting_ = false;
  if (under_way_) return;
  due_.reset();
  if (spec_.role == ProbeRole::kStartup) return;
  const bool waits = spec_.initial_delay > Duration{0};
  due_ = now + (waits ? spec_.initial_delay : spec_.period + spread(index_, spec_.period));
}

void ProbeSchedule::ask_own_http(TimePoint now) {
  const bool own = spec_.kind == ProbeKind::kHttp && spec_.own_listener && spec_.role != ProbeRole::kStartup;
  if (own && !under_way_) due_ = now;
}

void ProbeSchedule::stop() {
  starting_ = under_way_ = false;
  due_.reset();
}

void ProbeSchedule::attempt_began(TimePoint now) {
  under_way_ = true;
  began_ = now;
  due_.reset();
}

void ProbeSchedule::attempt_ended(TimePoint now) {
  under_way_ = false;
  const Duration period = starting_ ? quick_period(quick_attempts_++) : spec_.period;
  if (starting_ || spec_.role != ProbeRole::kStartup) due_ = std::max(began_ + period, now);
}

}  // namespace codex
