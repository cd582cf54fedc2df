#include "agent/policy/restart_budget.h"

#include <algorithm>
#include <cmath>

namespace codex {

namespace {
constexpr double kBaseSeconds = 1.0;
constexpr double kJitter = 0.1;
}  // namespace

RestartBudget::RestartBudget(const RestartConfig& config, std::uint64_t seed)
    : config_(config), random_(seed) {}

RestartBudget::Verdict RestartBudget::on_failure(Duration uptime, TimePoint now) {
  if (uptime >= config_.stable_after) reset();
  while (!restarts_.empty() && now - restarts_.front() >= config_.start_limit_interval) restarts_.pop_front();
  if (static_cast<int>(restarts_.size()) >= config_.start_limit) return {false, config_.max_delay};
  restarts_.push_back(now);
  return {true, next_delay()};
}

Duration RestartBudget::next_delay() {
  const int n = failures_++;
  if (n == 0) return std::min(config_.initial_delay, config_.max_delay);
  const double base = std::max(kBaseSeconds, to_seconds(config_.initial_delay));
  const double seconds = std::min(base * std::pow(config_.factor, n - 1), to_seconds(config_.max_delay));
  const double jittered = seconds * std::uniform_real_distribution(1 - kJitter, 1 + kJitter)(random_);
  const auto delay = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(jittered));
  return std::min(delay, config_.max_delay);
}

int RestartBudget::remaining(TimePoint now) const {
  const auto counted = std::count_if(restarts_.begin(), restarts_.end(),
                                     [&](TimePoint at) { return now - at < config_.start_limit_interval; });
  return std::max(0, config_.start_limit - static_cast<int>(counted));
}

void RestartBudget::restore(const History& history) {
  failures_ = history.failures;
  restarts_.assign(history.restarts.begin(), history.restarts.end());
}

void RestartBudget::reset() {
  failures_ = 0;
  restarts_.clear();
}

}  // namespace codex
