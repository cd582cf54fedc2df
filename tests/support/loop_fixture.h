#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "agent/os/event_loop.h"

namespace codex {

/// A test on a real event loop.
class LoopFixture : public ::testing::Test {
 protected:
  /// Turns the loop until `done`; false if that takes longer than any machine needs.
  bool turn_until(const std::function<bool()>& done) {
    const auto end = Clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (Clock::now() > end) return false;
      loop_.run_once(std::chrono::milliseconds(20));
    }
    return true;
  }

  EventLoop loop_;
};

}  // namespace codex
