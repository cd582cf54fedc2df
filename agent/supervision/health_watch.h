#pragma once

#include <optional>
#include <vector>

#include "agent/config/restart_config.h"
#include "agent/policy/health.h"
#include "agent/policy/reconnect_guard.h"
#include "agent/supervision/report.h"

namespace codex {

/// How well a running backend is, and whether it needs a restart for it. No clock, no I/O. Loop thread.
class HealthWatch {
 public:
  explicit HealthWatch(const RestartConfig& config) : config_(config), reconnect_(config.reconnect_timeout) {}

  /// A new generation: what is remembered of the last one says nothing about it.
  void begin_generation() { reconnect_ = ReconnectGuard(config_.reconnect_timeout); }

  /// It is not running, so nothing is known.
  void forget() { verdict_ = {}; }

  /// Judges it anew. A restart, if it is time for one.
  std::optional<Report> follow(const HealthFacts& facts, TimePoint now);

  [[nodiscard]] const HealthVerdict& verdict() const { return verdict_; }

 private:
  RestartConfig config_;
  ReconnectGuard reconnect_;
  HealthVerdict verdict_;
};

}  // namespace codex
