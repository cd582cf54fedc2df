#pragma once

#include <functional>

#include "probes/hang/hang_detector.h"

namespace codex::test {

/// Feeds a detector with looks 50 ms apart, each made by changing the one before.
///
///   HangLooks looks(detector);
///   looks.go(20, [](HangObservation& seen) { seen.accept_queue = 3; });
class HangLooks {
 public:
  explicit HangLooks(HangDetector& detector) : detector_(detector) {
    now_.at = TimePoint(std::chrono::hours(1));
    now_.accept_queue = 0;
    now_.main.state = 'S';
    now_.main.waits_in = WaitKind::kEpoll;
    now_.main.syscall = 281;
    now_.main.argument = kMainLoop;
  }

  static constexpr std::uint64_t kMainLoop = 13;
  static constexpr Duration kStep = std::chrono::milliseconds(50);

  using Change = std::function<void(HangObservation&)>;

  /// `count` looks; the verdict after the last.
  const HangVerdict& go(int count, const Change& change = {}, Duration step = kStep) {
    for (int i = 0; i < count; ++i) {
      now_.at += step;
      if (change) change(now_);
      detector_.observe(now_);
    }
    return detector_.verdict();
  }

  /// How long until the verdict has this state; nullopt if it does not within 20 s.
  std::optional<Duration> until(HangVerdict::State state, const Change& change = {}) {
    const auto began = now_.at;
    for (int i = 0; i < 400; ++i) {
      if (go(1, change).state == state) return now_.at - began;
    }
    return std::nullopt;
  }

  /// The loop accepts two connections of ours, each time going back to sleep: which epoll is the main one is
  /// learned.
  void learn() {
    accept();
    accept();
  }

  /// The loop accepts a connection of ours, and what is seen next is `change`.
  void accept(const Change& change = {}) {
    go(1, [](HangObservation& seen) { seen.accept_probe.state = AcceptProbeView::State::kAccepted; });
    go(2, [&change](HangObservation& seen) {
      seen.accept_probe.state = AcceptProbeView::State::kIdle;
      if (change) change(seen);
    });
  }

  [[nodiscard]] TimePoint now() const { return now_.at; }
  HangObservation& current() { return now_; }

 private:
  HangDetector& detector_;
  HangObservation now_;
};

}  // namespace codex::test
