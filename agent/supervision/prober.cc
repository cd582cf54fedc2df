#include "agent/supervision/prober.h"

#include <utility>

#include "probes/kinds/make_probe.h"

namespace codex {

namespace {

/// Timers share wake-ups within this; it is far below any period (at least 100 ms).
constexpr Duration kProbeAccuracy = std::chrono::milliseconds(5);

}  // namespace

Prober::Prober(EventLoop& loop, const std::vector<ProbeSpec>& specs, const Maker& make, Events events)
    : loop_(loop), events_(std::move(events)) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    trackers_.emplace_back(specs[i]);
    Timer timer(
        loop_, "probe." + specs[i].name, [this, i] { ask(i); }, Priority::kNormal, kProbeAccuracy);
    probes_.push_back({make(specs[i]), ProbeSchedule(specs[i], i), std::move(timer)});
  }
}

Prober::Prober(const std::vector<ProbeSpec>& specs, const ProbeContext& context, Events events)
    : Prober(
          context.loop, specs, [&context](const ProbeSpec& spec) { return make_probe(spec, context); },
          std::move(events)) {}

void Prober::begin_generation() {
  stop();
  for (auto& tracker : trackers_) tracker.begin_generation();
  reschedule(&ProbeSchedule::begin_generation);
}

void Prober::begin_readiness() {
  reschedule(&ProbeSchedule::begin_readiness);
}

void Prober::begin_running() {
  reschedule(&ProbeSchedule::begin_running);
}

void Prober::ask_http_now() {
  reschedule(&ProbeSchedule::ask_own_http);
}

void Prober::forgive(std::size_t index, ProbeTracker::Excuse excuse) {
  trackers_[index].forgive(loop_.now(), std::move(excuse));
}

void Prober::forgive_all() {
  for (auto& tracker : trackers_) tracker.forgive(loop_.now());
}

void Prober::stop() {
  for (auto& [probe, schedule, timer] : probes_) {
    timer.disarm();
    if (schedule.under_way()) probe->cancel();
    schedule.stop();
  }
}

void Prober::reschedule(void (ProbeSchedule::*step)(TimePoint now)) {
  for (auto& [probe, schedule, timer] : probes_) {
    const auto before = schedule.due();
    (schedule.*step)(loop_.now());
    if (schedule.due() == before) continue;  // To arm it anew would put it behind all that is due as well.
    if (schedule.due()) {
      timer.arm_at(*schedule.due());
    } else {
      timer.disarm();
    }
  }
}

void Prober::ask(std::size_t index) {
  auto& [probe, schedule, timer] = probes_[index];
  schedule.attempt_began(loop_.now());
  events_.asked(index);
  // Measured from the call, not from the wake-up: our own lateness is not the backend's.
  probe->start(Clock::now() + trackers_[index].spec().timeout,
               [this, index](const ProbeResult& result) { finished(index, result); });
}

void Prober::finished(std::size_t index, const ProbeResult& result) {
  auto& [probe, schedule, timer] = probes_[index];
  schedule.attempt_ended(loop_.now());
  trackers_[index].record(result, schedule.began(), std::chrono::system_clock::now());
  if (schedule.due()) timer.arm_at(*schedule.due());
  events_.answered(index);
}

}  // namespace codex
