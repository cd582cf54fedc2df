#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string_view>

#include "agent/config/hang_config.h"
#include "agent/os/clock.h"
#include "probes/hang/hang_verdict.h"

namespace codex {

/// What to do about a confirmed hang.
enum class HangAction {
  kNone,      ///< wait: it may heal itself, or was dealt with
  kReport,    ///< tell; a restart would not help, or is not wanted
  kContinue,  ///< send SIGCONT to the serving process
  kRestart,   ///< stop the whole tree and start again
};
std::string_view to_string(HangAction action);  ///< "none" "report" "continue" "restart"

/// A restart would bring nothing back of what it waits for; it is ill all the same, and people are told.
bool is_helpless(HangClass hang);

/// It explains that probes fail, so well that they restart nothing meanwhile: the database is waited for, a
/// debugger holds the process, or the host gives it no CPU.
bool excuses_probes(HangClass hang);

/// Decides when a confirmed hang has lasted long enough to act, and how. Pure. One for each backend.
///
/// Each class has a floor and an action; both can be configured. Patience doubles each time the same class
/// returns within ten minutes of a restart that it had caused: that restart did not help. What has been
/// promised within one hang is kept: should its class turn out to be another one, it is not given more time.
/// While a debugger is attached nothing is done.
///
///   class                                     floor    then
///   stopped                                   1 s      continue; restart if it is still stopped 5 s later
///   spin futex blocked_syscall fd_exhausted   5 s      restart
///   handler pool_exhausted                    10 s     restart; handler needs two HTTP probes without an answer, too
///   threadpool                                10 s     restart
///   sync_child gc                             30 s     restart
///   startup_stuck                             -        report: a start has a time limit of its own
///   db_wait disk_wait upstream starved paused -        report: a restart brings nothing of that back
class HangPolicy {
 public:
  /// `may_restart`: false turns every restart into a report. `rules`: what is to be otherwise for single
  /// classes; they are above `may_restart`, too.
  explicit HangPolicy(bool may_restart, std::map<HangClass, HangRule> rules = {})
      : may_restart_(may_restart), rules_(std::move(rules)) {}

  struct Decision {
    HangAction action = HangAction::kNone;
    Duration patience{0};                ///< how long the hang clock has to show before the action
    int restarts_that_did_not_help = 0;  ///< of this class, in the last ten minutes
  };

  /// Call with every verdict while the hang is confirmed. Answers an action other than none once, except
  /// that a restart follows a continue that had no effect.
  Decision on_confirmed(const HangVerdict& verdict, TimePoint now);

  /// The hang is over, by itself or because its process has ended. What was learned stays.
  void on_over();

  /// How long a hang of this class may last at present.
  [[nodiscard]] Duration patience(HangClass hang, TimePoint now) const;

  /// What would be done next about this hang, and when its clock shows `patience`.
  [[nodiscard]] Decision plan(const HangVerdict& verdict, TimePoint now) const;

 private:
  struct Restarted {
    HangClass hang;
    TimePoint at;
  };
  struct Rule {
    Duration floor;
    HangAction action;
  };
  [[nodiscard]] static Rule usual_rule(HangClass hang);
  [[nodiscard]] Rule rule_of(HangClass hang) const;
  [[nodiscard]] int vain_restarts(HangClass hang, TimePoint now) const;

  bool may_restart_;
  std::map<HangClass, HangRule> rules_;
  std::deque<Restarted> restarted_;
  std::optional<HangClass> acted_on_;
  HangAction acted_ = HangAction::kNone;
  std::optional<Duration> continued_at_;  ///< what the hang clock showed
  std::optional<Duration> promised_;      ///< the shortest patience with a restart within this hang
};

}  // namespace codex
