#include "agent/supervision/hang_policy.h"

#include <algorithm>

namespace codex {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kMostPatience = seconds(60);
constexpr Duration kMostDoubled = minutes(10);
constexpr Duration kRemembered = hours(1);
constexpr Duration kSameHang = minutes(10);
constexpr Duration kContinueTakes = seconds(5);
constexpr int kTimesHealed = 3;
constexpr int kHandlerProbes = 2;
constexpr std::size_t kMostRemembered = 256;

struct Rule {
  Duration floor;
  HangAction action;
};

Rule rule_of(HangClass hang) {
  switch (hang) {
    case HangClass::kStopped:
      return {seconds(1), HangAction::kContinue};
    case HangClass::kSpin:
    case HangClass::kFutex:
    case HangClass::kBlockedSyscall:
    case HangClass::kFdExhausted:
      return {seconds(5), HangAction::kRestart};
    case HangClass::kHandler:
    case HangClass::kPoolExhausted:
    case HangClass::kThreadpool:
      return {seconds(10), HangAction::kRestart};
    case HangClass::kSyncChild:
    case HangClass::kGc:
      return {seconds(30), HangAction::kRestart};
    case HangClass::kStartupStuck:
      return {Duration{0}, HangAction::kRestart};
    case HangClass::kDbWait:
    case HangClass::kDiskWait:
    case HangClass::kUpstream:
    case HangClass::kStarved:
    case HangClass::kPaused:
      return {Duration{0}, HangAction::kReport};
  }
  return {Duration{0}, HangAction::kReport};
}

}  // namespace

std::string_view to_string(HangAction action) {
  switch (action) {
    case HangAction::kNone:
      return "none";
    case HangAction::kReport:
      return "report";
    case HangAction::kContinue:
      return "continue";
    case HangAction::kRestart:
      return "restart";
  }
  return "";
}

int HangPolicy::vain_restarts(HangClass hang, TimePoint now) const {
  return static_cast<int>(std::count_if(restarted_.begin(), restarted_.end(), [&](const Restarted& restart) {
    return restart.hang == hang && now - restart.at < kSameHang;
  }));
}

Duration HangPolicy::patience(HangClass hang, TimePoint now) const {
  const auto rule = rule_of(hang);
  // A report disturbs nobody, and a stopped process gains nothing from waiting.
  if (rule.action != HangAction::kRestart) return rule.floor;
  Duration longest{0};
  for (const auto& healed : healed_) {
    if (now - healed.at < kRemembered) longest = std::max(longest, healed.lasted);
  }
  Duration patience = std::max(rule.floor, std::min(longest * kTimesHealed, kMostPatience));
  for (int i = vain_restarts(hang, now); i > 0 && patience < kMostDoubled; --i) patience *= 2;
  return std::min(patience, kMostDoubled);
}

HangPolicy::Decision HangPolicy::on_confirmed(const HangVerdict& verdict, TimePoint now) {
  Decision decision;
  if (!verdict.hang) return decision;
  const auto hang = *verdict.hang;
  if (acted_on_ != hang) {
    acted_on_ = hang;
    acted_ = HangAction::kNone;
    continued_at_.reset();
  }
  decision.patience = patience(hang, now);
  decision.restarts_that_did_not_help = vain_restarts(hang, now);

  auto action = rule_of(hang).action;
  if (continued_at_) {
    action = HangAction::kRestart;
    decision.patience = *continued_at_ + kContinueTakes;
  }
  if (action == HangAction::kRestart && !may_restart_) action = HangAction::kReport;
  if (verdict.debugger) action = HangAction::kReport;
  const bool agreed = hang != HangClass::kHandler || verdict.probe_failures >= kHandlerProbes ||
                      action == HangAction::kReport;
  // A report does not wait for the floor of a restart that will not come.
  const bool due = action == HangAction::kReport || verdict.clock >= decision.patience;
  if (!due || !agreed || acted_ == action) return decision;

  acted_ = action;
  decision.action = action;
  if (action == HangAction::kContinue) continued_at_ = verdict.clock;
  if (action == HangAction::kRestart) {
    restarted_.push_back({hang, now});
    if (restarted_.size() > kMostRemembered) restarted_.pop_front();
  }
  return decision;
}

void HangPolicy::on_healed(Duration lasted, TimePoint now) {
  if (acted_ == HangAction::kNone || acted_ == HangAction::kReport) {
    healed_.push_back({now, lasted});
    while (healed_.size() > kMostRemembered || now - healed_.front().at >= kRemembered) healed_.pop_front();
  }
  on_new_process();
}

void HangPolicy::on_new_process() {
  acted_on_.reset();
  acted_ = HangAction::kNone;
  continued_at_.reset();
}

}  // namespace codex
