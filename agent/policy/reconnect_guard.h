#pragma once

#include <optional>

#include "agent/os/clock.h"

namespace codex {

/// After an outage of the database: gives the application a time to become healthy by itself, and asks for
/// one restart if it does not. One outage, one restart: should that not help, it is no matter of the
/// connection. Pure.
class ReconnectGuard {
 public:
  /// `timeout`: 0 never asks.
  explicit ReconnectGuard(Duration timeout) : timeout_(timeout) {}

  /// Whether the database fails, and whether everything else about the backend is well. True once when the
  /// restart is due.
  bool due(bool database_failing, bool otherwise_well, TimePoint now) {
    if (database_failing) {
      outage_ = true;
      back_at_.reset();
      return false;
    }
    if (outage_) back_at_ = now;
    outage_ = false;
    if (!back_at_ || timeout_ == Duration{0} || now - *back_at_ < timeout_) return false;
    back_at_.reset();
    return !otherwise_well;
  }

 private:
  Duration timeout_;
  bool outage_ = false;
  std::optional<TimePoint> back_at_;
};

}  // namespace codex
