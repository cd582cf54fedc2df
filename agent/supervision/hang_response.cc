#include "agent/supervision/hang_response.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/evidence/incident_store.h"
#include "agent/record/log_line.h"
#include "agent/text/quantity.h"

namespace codex {

namespace {

constexpr std::size_t kShownWhy = 256;
/// A program that is often slow for half a second must not be looked at closely all the time.
constexpr Duration kLooksAtSuspicions = std::chrono::minutes(1);

Counts counts_of(const HangSignals& signals) {
  return {{"accept_queue", signals.accept_queue},
          {"event_loop", signals.event_loop},
          {"cpu", signals.cpu},
          {"uninterruptible", signals.uninterruptible},
          {"stopped", signals.stopped},
          {"descriptors", signals.descriptors},
          {"http_probe", signals.http_probe},
          {"requests", signals.requests}};
}

}  // namespace

HangResponse::HangResponse(const BackendConfig& config, EventLoop& loop,
                           std::function<std::vector<ProcStat>()> members, const Schedule& schedule,
                           const Lifecycle& lifecycle, BackendRecord& record, Logger& log,
                           const Redactor& redactor, Hands hands)
    : config_(config),
      schedule_(schedule),
      lifecycle_(lifecycle),
      record_(record),
      log_(log),
      redactor_(redactor),
      hands_(std::move(hands)),
      workers_(config, schedule, record, log, redactor,
               {hands_.capture, hands_.signal_worker, hands_.changed, hands_.restart}),
      watch_(loop, HangPolicy(config.hang_action == HangReaction::kRestart, config.hang_rules),
             std::move(members),
             {.suspected = [this](const HangVerdict& /*verdict*/) { hands_.ask_http(); },
              .half_way = [this](const HangVerdict& verdict) { half_way(verdict); },
              .confirmed = [this](const HangVerdict& verdict) { confirmed(verdict); },
              .act = [this](const HangVerdict& verdict,
                            const HangPolicy::Decision& what) { due(verdict, what); },
              .over = [this](const HangVerdict& last, Duration lasted) { over(last, lasted); },
              .workers = [this](const auto& serving,
                                const auto& stuck) { workers_.follow(serving, stuck, hang_.has_value()); },
              .looked = {}}) {}

void HangResponse::half_way(const HangVerdict& verdict) {
  const TimePoint now = schedule_.now();
  if (suspicion_looked_at_ && now - *suspicion_looked_at_ < kLooksAtSuspicions) return;
  suspicion_looked_at_ = now;
  capture(verdict, EvidenceRequest::Moment::kSuspected);
}

void HangResponse::confirmed(const HangVerdict& verdict) {
  const bool first = !hang_;
  hang_ = verdict;
  const TimePoint now = schedule_.now();
  const auto plan = watch_.plan(verdict);
  HangSnapshot told = first ? HangSnapshot{} : *last_;
  if (first) told.since = schedule_.wall_in(-verdict.clock);
  told.hang_class = to_string(*verdict.hang);
  told.detail = redactor_.safe(verdict.why, kShownWhy);
  told.action = lifecycle_.state() == State::kRunning ? to_string(plan.action) : "";
  const auto promised = std::exchange(told.due, std::nullopt);
  if (!told.action.empty() && plan.action != HangAction::kReport) {
    told.due = schedule_.wall_in(std::max(plan.patience - verdict.clock, Duration{0}));
    if (promised) told.due = std::min(*told.due, *promised);
  }
  last_ = std::move(told);
  if (first) record_.hang(last_->hang_class, to_seconds(now - verdict.since.value_or(now - verdict.clock)));
  log_.warning(LogLine("hang_confirmed")
                   .kv("backend", config_.name)
                   .kv("class", last_->hang_class)
                   .kv("why", last_->detail)
                   .kv("for_seconds", to_seconds(verdict.clock))
                   .str());
  capture(verdict, EvidenceRequest::Moment::kConfirmed);
  hands_.changed();
}

std::string HangResponse::next_step(const HangVerdict& verdict) const {
  // A start has its own time limit, and says then what it hung in.
  if (lifecycle_.state() != State::kRunning) return "the time limit of the start";
  const auto plan = watch_.plan(verdict);
  if (plan.action == HangAction::kReport) return "nothing: a restart would not help, or is not wanted";
  return std::string(to_string(plan.action)) + " when it has lasted " + in_words(plan.patience);
}

void HangResponse::capture(const HangVerdict& verdict, EvidenceRequest::Moment moment) {
  EvidenceRequest request;
  if (incident_.empty()) incident_ = incident_id(schedule_.wall_now(), config_.name);
  request.moment = moment;
  request.id = incident_;
  request.hang_class = verdict.hang ? to_string(*verdict.hang) : "";
  request.why = verdict.why;
  for (const auto& [hang, count] : watch_.votes()) request.votes.emplace_back(to_string(hang), count);
  request.since = schedule_.wall_in(-verdict.clock);
  // A master that only listens has nothing to tell.
  if (!watch_.serving().empty()) request.server = watch_.serving().front();
  request.next = next_step(verdict);
  hands_.capture(std::move(request),
                 [this, incident = incident_](const auto& answer) { captured(incident, answer); });
}

void HangResponse::captured(const std::string& incident,
                            const std::optional<EvidenceRecorder::Answer>& answer) {
  if (answer && hang_ && incident == incident_) {
    if (!answer->where.empty()) last_->where = answer->where;
    if (!answer->id.empty()) {
      last_->evidence = answer->id;
      log_.info(LogLine("evidence_taken")
                    .kv("backend", config_.name)
                    .kv("id", answer->id)
                    .kv("where", answer->where)
                    .str());
    }
    hands_.changed();
  }
  if (restart_due_ && !hands_.capturing()) restart();
}

void HangResponse::due(const HangVerdict& verdict, const HangPolicy::Decision& decision) {
  // A start has its own time limit, and says then what it hung in. To go on helps it, too.
  const bool harmless = decision.action == HangAction::kContinue && lifecycle_.state() == State::kStarting;
  if (lifecycle_.state() != State::kRunning && !harmless) return;
  log_.warning(LogLine("hang_action")
                   .kv("backend", config_.name)
                   .kv("class", to_string(*verdict.hang))
                   .kv("action", to_string(decision.action))
                   .kv("for_seconds", to_seconds(verdict.clock))
                   .kv("restarts_that_did_not_help", decision.restarts_that_did_not_help)
                   .str());
  switch (decision.action) {
    case HangAction::kNone:
    case HangAction::kReport:
      return;
    case HangAction::kContinue:
      for (const ProcessId& worker : watch_.serving()) hands_.signal_worker(worker, SIGCONT);
      return hands_.continue_server();
    case HangAction::kRestart:
      restart_due_ = decision;
      // What happens now must not destroy what is being looked at; looking takes three seconds at most.
      if (!hands_.capturing()) restart();
      return;
  }
}

void HangResponse::restart() {
  const auto decision = *std::exchange(restart_due_, std::nullopt);
  if (!hang_ || lifecycle_.state() != State::kRunning) return;
  std::string problem = "Server hung (" + last_->hang_class + "): " + last_->detail;
  if (!last_->where.empty()) problem += ", in " + last_->where;
  problem += ".";
  if (!last_->evidence.empty()) problem += " `codex-agent evidence " + last_->evidence + "` tells more.";
  if (decision.restarts_that_did_not_help > 0) {
    problem += " It has been restarted for this " + std::to_string(decision.restarts_that_did_not_help) +
               " times in ten minutes without lasting help.";
  }
  hands_.restart({{EventType::kRestart, Cause::kHang}, std::move(problem)});
}

void HangResponse::over(const HangVerdict& last, Duration lasted) {
  incident_.clear();
  restart_due_.reset();
  if (!hang_) return;  // Only a suspicion, which has cleared.
  hang_.reset();
  hands_.forgive();  // It has been dealt with.
  last_->lasted_seconds = to_seconds(lasted);
  last_->action.clear();
  last_->due.reset();
  record_.hang_ended(to_seconds(lasted));
  log_.info(LogLine("hang_over")
                .kv("backend", config_.name)
                .kv("class", last.hang ? to_string(*last.hang) : "")
                .kv("lasted_seconds", to_seconds(lasted))
                .str());
  hands_.changed();
}

std::optional<ConfirmedHang> HangResponse::hang() const {
  if (!hang_) return std::nullopt;
  return ConfirmedHang{last_->hang_class, last_->detail, is_helpless(*hang_->hang),
                       excuses_probes(*hang_->hang) || hang_->debugger};
}

void HangResponse::fill(BackendSnapshot& snapshot) const {
  workers_.fill(snapshot);
  snapshot.hang_signals = counts_of(watch_.signals());
  snapshot.overloaded = watch_.overload().has_value();
  snapshot.hang_watch_cpu_seconds = to_seconds(watch_.spent());
  if (!hang_) {
    snapshot.last_hang = last_;
    return;
  }
  HangSnapshot hang = *last_;
  const WallTime now = schedule_.wall_now();
  hang.lasted_seconds = std::max(0.0, to_seconds(now - hang.since));
  if (hang.due) hang.due_in_seconds = std::max(0.0, to_seconds(*hang.due - now));
  snapshot.hang = std::move(hang);
}

}  // namespace codex
