#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/event_loop.h"
#include "probes/finding.h"
#include "probes/probe.h"

namespace codex {

/// The frame around one attempt of a probe: its deadline, its phases, its one answer. Loop thread.
///
/// begin() returns at once; `ask` runs from the loop. Whatever happens first - finish(), the deadline, an
/// exception in a guarded callback, cancel() - ends the attempt, and `release` is called before `done`.
class ProbeAttempt {
 public:
  struct Steps {
    std::function<void()> ask;      ///< the first step
    std::function<void()> expire;   ///< the deadline passed: must end in finish()
    std::function<void()> release;  ///< close whatever is open; may be called when nothing is
  };

  ProbeAttempt(EventLoop& loop, const std::string& name, Steps steps);
  ~ProbeAttempt() = default;  ///< ends silently; the owner releases by itself
  ProbeAttempt(const ProbeAttempt&) = delete;
  ProbeAttempt& operator=(const ProbeAttempt&) = delete;

  void begin(TimePoint deadline, Probe::Done done);
  void cancel();

  /// Ends the attempt. Calls `done` as its last act: the owner may be gone when this returns.
  void finish(ProbeResult result);
  void finish(Outcome outcome, Reason reason, std::string detail);
  void finish(const Finding& finding, const std::string& detail);
  /// "We could not ask."
  void give_up(std::string why) { finish(Outcome::kUnknown, Reason::kInternal, std::move(why)); }

  [[nodiscard]] bool under_way() const { return token_ != nullptr; }
  [[nodiscard]] Duration elapsed() const { return Clock::now() - began_; }
  [[nodiscard]] Duration allowed() const { return deadline_ - began_; }

  /// Closes the phase under way and opens `phase`. Phases then sum to `elapsed`.
  void enter(Phase phase);
  /// Closes the phase under way: what follows is booked by record().
  void close_phase();
  /// Adds a phase that a library measured.
  void record(Phase phase, Duration elapsed);
  /// Books the phase under way as `phase` instead.
  void rename_phase(Phase phase);

  /// Wraps a callback: it is not called once the attempt is over, and its exception ends the attempt as
  /// unknown.
  template <typename Fn>
  auto guard(Fn fn) {
    return [this, token = std::weak_ptr<const int>(token_), fn = std::move(fn)](auto&&... args) mutable {
      if (token.expired()) return;
      try {
        fn(std::forward<decltype(args)>(args)...);
      } catch (const std::exception& e) {
        if (token.expired()) throw;  // It came from `done`: the loop's business.
        give_up(e.what());
      }
    };
  }

 private:
  EventLoop& loop_;
  Steps steps_;
  Probe::Done done_;
  TimePoint began_{}, deadline_{}, phase_began_{};
  bool asked_ = false;
  bool in_phase_ = false;
  Phase phase_ = Phase::kResolve;
  std::vector<PhaseTime> phases_;
  std::shared_ptr<const int> token_;  ///< alive while the attempt is under way
  Timer deadline_timer_;
};

}  // namespace codex
