#include "agent/supervision/awaited_condition.h"

#include <algorithm>
#include <utility>

#include "agent/record/log_line.h"

namespace codex {

namespace {

constexpr Duration kPortPeriod = std::chrono::milliseconds(200);

}  // namespace

AwaitedCondition::AwaitedCondition(std::string backend, Duration retry_interval,
                                   const std::vector<ProbeTracker>& probes, const Lifecycle& lifecycle,
                                   Schedule& schedule, BackendTree& tree, Logger& log,
                                   const Redactor& redactor, const MakeChanges& make_changes, Hands hands)
    : backend_(std::move(backend)),
      retry_interval_(retry_interval),
      probes_(probes),
      lifecycle_(lifecycle),
      schedule_(schedule),
      tree_(tree),
      log_(log),
      redactor_(redactor),
      hands_(std::move(hands)),
      changes_(make_changes({[this] { come(); }, [this] { change_limited(); }})),
      look_(schedule.alarm("await", [this] { look(); })) {}

void AwaitedCondition::begin() {
  switch (lifecycle_.awaiting()) {
    case Await::kNone:
      return;
    case Await::kChange:
      return changes_->start();
    case Await::kDatabase:
      return hands_.ask_database();
    case Await::kPort:
      return look_->arm_at(schedule_.now() + kPortPeriod);
  }
}

void AwaitedCondition::end() {
  look_->disarm();
  changes_->stop();
}

/// Not everything can be watched, so that an edit may be missed: try again by the clock as well.
void AwaitedCondition::change_limited() {
  log_.warning(LogLine("change_watch_limited")
                   .kv("backend", backend_)
                   .kv("why", redactor_.safe(changes_->limited()))
                   .str());
  if (retry_interval_ > Duration{0}) look_->arm_at(schedule_.now() + retry_interval_);
}

void AwaitedCondition::follow() {
  if (lifecycle_.awaiting() != Await::kDatabase) return;
  if (std::all_of(probes_.begin(), probes_.end(), [](const ProbeTracker& probe) {
        return probe.spec().kind != ProbeKind::kDatabase || probe.succeeding();
      })) {
    come();
  }
}

/// It is time to, for what nobody tells of.
void AwaitedCondition::look() {
  switch (lifecycle_.awaiting()) {
    case Await::kNone:
    case Await::kDatabase:
      return;
    case Await::kChange:
      return come();
    case Await::kPort:
      look_->arm_at(schedule_.now() + kPortPeriod);
      if (tree_.look_at_port() && !tree_.port()->listening) come();
      return;
  }
}

void AwaitedCondition::come() {
  log_.info(
      LogLine("unblocked").kv("backend", backend_).kv("awaited", to_string(lifecycle_.awaiting())).str());
  hands_.come();
}

}  // namespace codex
