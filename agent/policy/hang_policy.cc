#include "agent/policy/hang_policy.h"

#include <algorithm>
#include <utility>

namespace codex {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kMostDoubled = minutes(10);
constexpr Duration kSameHang = minutes(10);
constexpr Duration kContinueTakes = seconds(5);
constexpr int kHandlerProbes = 2;
constexpr std::size_t kMostRemembered = 256;

HangAction action_of(HangReaction reaction) {
  switch (reaction) {
    case HangReaction::kRestart:
      return HangAction::kRestart;
    case HangReaction::kReport:
      return HangAction::kReport;
    case HangReaction::kContinue:
      return HangAction::kContinue;
  }
  return HangAction::kReport;
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

HangPolicy::Rule HangPolicy::usual_rule(HangClass hang) {
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
    case HangClass::kDbWait:
    case HangClass::kDiskWait:
    case HangClass::kUpstream:
    case HangClass::kStarved:
    case HangClass::kPaused:
      return {Duration{0}, HangAction::kReport};
  }
  return {Duration{0}, HangAction::kReport};
}

HangPolicy::Rule HangPolicy::rule_of(HangClass hang) const {
  Rule rule = usual_rule(hang);
  const auto found = rules_.find(hang);
  if (rule.action == HangAction::kRestart && !may_restart_) rule.action = HangAction::kReport;
  if (found == rules_.end()) return rule;
  if (found->second.action) rule.action = action_of(*found->second.action);
  if (found->second.after) rule.floor = *found->second.after;
  return rule;
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
  Duration patience = rule.floor;
  for (int i = vain_restarts(hang, now); i > 0 && patience < kMostDoubled; --i) patience *= 2;
  return std::max(rule.floor, std::min(patience, kMostDoubled));
}

HangPolicy::Decision HangPolicy::plan(const HangVerdict& verdict, TimePoint now) const {
  Decision decision;
  if (!verdict.hang) return decision;
  decision.action = rule_of(*verdict.hang).action;
  decision.patience = patience(*verdict.hang, now);
  if (decision.action == HangAction::kRestart && promised_)
    decision.patience = std::min(decision.patience, *promised_);
  decision.restarts_that_did_not_help = vain_restarts(*verdict.hang, now);
  if (continued_at_ && acted_on_ == verdict.hang) {
    decision.action = may_restart_ ? HangAction::kRestart : HangAction::kReport;
    decision.patience = *continued_at_ + kContinueTakes;
  }
  if (verdict.debugger) decision.action = HangAction::kReport;
  return decision;
}

bool is_helpless(HangClass hang) {
  switch (hang) {
    case HangClass::kDbWait:
    case HangClass::kDiskWait:
    case HangClass::kUpstream:
    case HangClass::kStarved:
    case HangClass::kPaused:
      return true;
    case HangClass::kSpin:
    case HangClass::kGc:
    case HangClass::kSyncChild:
    case HangClass::kFutex:
    case HangClass::kBlockedSyscall:
    case HangClass::kStopped:
    case HangClass::kHandler:
    case HangClass::kPoolExhausted:
    case HangClass::kThreadpool:
    case HangClass::kFdExhausted:
    case HangClass::kStartupStuck:
      return false;
  }
  return false;
}

bool excuses_probes(HangClass hang) {
  return hang == HangClass::kDbWait || hang == HangClass::kPaused || hang == HangClass::kStarved;
}

HangPolicy::Decision HangPolicy::on_confirmed(const HangVerdict& verdict, TimePoint now) {
  if (!verdict.hang) return {};
  const auto hang = *verdict.hang;
  if (acted_on_ != hang) {
    acted_on_ = hang;
    acted_ = HangAction::kNone;
    continued_at_.reset();
  }
  Decision decision = plan(verdict, now);
  if (decision.action == HangAction::kRestart) promised_ = decision.patience;
  const auto action = std::exchange(decision.action, HangAction::kNone);
  const bool agreed = hang != HangClass::kHandler ||
                      verdict.unanswered_probes.value_or(kHandlerProbes) >= kHandlerProbes ||
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

void HangPolicy::on_over() {
  promised_.reset();
  acted_on_.reset();
  acted_ = HangAction::kNone;
  continued_at_.reset();
}

}  // namespace codex
