#include "probes/hang/stuck_start.h"

#include <algorithm>

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kQuietSuspect = milliseconds(2500);
constexpr Duration kQuietStuck = seconds(5);
constexpr Duration kBurningStuck = seconds(20);
constexpr Duration kShortestDeadline = seconds(10);
constexpr int kTimesUsual = 3;
// What an idle runtime does, a second: timers fire, a watcher wakes up.
constexpr double kIdleCpuRatio = 0.02;
constexpr double kIdleCallsPerSecond = 2;
constexpr double kTicksPerSecond = 100;  // USER_HZ, the same on every Linux

std::string whole_seconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<seconds>(duration).count()) + " s";
}

/// It is to be told before the time of the start is up.
Duration within(Duration limit, Duration span) {
  return limit > Duration{0} ? std::min(span, limit * 2 / 3) : span;
}

}  // namespace

void StuckStart::reset() {
  *this = StuckStart{};
}

bool StuckStart::quiet_for(Duration span, bool may_burn) const {
  const auto& last = looks_.back();
  const auto first = std::find_if(looks_.rbegin(), looks_.rend(), [&](const StartupView& look) {
    return last.since_start - look.since_start >= span;
  });
  if (first == looks_.rend()) return false;
  const double time = to_seconds(last.since_start - first->since_start);
  const auto ticks = static_cast<double>(last.cpu_ticks - std::min(last.cpu_ticks, first->cpu_ticks));
  const auto calls = static_cast<double>(last.io_calls - std::min(last.io_calls, first->io_calls));
  return last.output_bytes == first->output_bytes && calls <= kIdleCallsPerSecond * time &&
         (may_burn || ticks <= kIdleCpuRatio * kTicksPerSecond * time);
}

void StuckStart::observe(const StartupView& startup, std::optional<Duration> usual) {
  looks_.push_back(startup);
  while (looks_.size() > 2 && startup.since_start - looks_[1].since_start >= kBurningStuck)
    looks_.pop_front();

  const auto on_what = startup.waits_for.empty() ? "" : "; it waits for " + startup.waits_for;
  const bool overdue = usual && startup.since_start > std::max(*usual * kTimesUsual, kShortestDeadline);
  const auto was_quiet = clock_;
  state_ = State::kGettingOn;
  clock_ = Duration{0};
  const auto judge = [&](State state, Duration least, std::string why) {
    state_ = state;
    const auto step =
        looks_.size() < 2 ? Duration{0} : startup.since_start - looks_[looks_.size() - 2].since_start;
    clock_ = std::max(least, was_quiet + step);
    why_ = "does not listen on its port" + std::move(why);
  };
  const auto quiet = within(startup.time_limit, kQuietStuck);
  const auto burning = within(startup.time_limit, kBurningStuck);
  if (quiet_for(quiet, false)) {
    judge(State::kStuck, quiet, ", and does nothing" + on_what);
  } else if (quiet_for(burning, true)) {
    judge(State::kStuck, burning, ", and only uses CPU");
  } else if (overdue) {
    judge(State::kStuck, Duration{0},
          " after " + whole_seconds(startup.since_start) + ", more than " + std::to_string(kTimesUsual) +
              " times what its starts took" + on_what);
  } else if (quiet_for(kQuietSuspect, false)) {
    judge(State::kSuspect, kQuietSuspect, ", and does nothing" + on_what);
  }
}

}  // namespace codex
