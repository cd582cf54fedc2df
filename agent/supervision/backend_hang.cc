#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/evidence/incident_store.h"
#include "agent/record/log_line.h"
#include "agent/supervision/backend.h"
#include "agent/supervision/describe.h"
#include "probes/finding.h"

/// What a backend makes of the news of its hang watch.

namespace codex {

namespace {

constexpr std::size_t kShownWhy = 256;
/// A program that is often slow for half a second must not be looked at closely all the time.
constexpr Duration kLooksAtSuspicions = std::chrono::minutes(1);

WallTime::duration wall(Duration duration) {
  return std::chrono::duration_cast<WallTime::duration>(duration);
}

/// A restart would bring nothing back of what it waits for; it is ill all the same, and people are told.
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

std::optional<HangWatch::Asked> asked_of(const ProbeSpec& spec) {
  if (spec.kind == ProbeKind::kHttp && spec.own_listener) return HangWatch::Asked::kHttp;
  if (spec.kind == ProbeKind::kDatabase) return HangWatch::Asked::kDatabase;
  return std::nullopt;
}

}  // namespace

/// The probe that asks the backend's database server; nullptr without one.
const ProbeSpec* Backend::own_database() const {
  for (const auto& probe : config_.probes) {
    if (probe.kind == ProbeKind::kDatabase && !probe.target.starts_with("sqlite")) return &probe;
  }
  return nullptr;
}

std::optional<std::uint16_t> Backend::own_database_port() const {
  const auto* database = own_database();
  return database != nullptr ? std::optional(database_port(*database)) : std::nullopt;
}

/// The process that has the port now is the one whose progress counts.
void Backend::follow_server() {
  const auto server = port_->server();
  if (!server) return;
  look("hang watch", [&] {
    hang_watch_.watch(*server, port_->server_address(), *config_.port, own_database_port(),
                      port_->server_network());
  });
}

void Backend::probe_asked(std::size_t index) {
  if (const auto asked = asked_of(prober_.trackers()[index].spec())) hang_watch_.probe_began(*asked);
}

void Backend::probe_answered(std::size_t index) {
  const auto& tracker = prober_.trackers()[index];
  if (const auto asked = asked_of(tracker.spec())) hang_watch_.probe_ended(*asked, tracker.last_outcome());
  const bool late = tracker.last_outcome() == Outcome::kFailure && tracker.last_reason() == Reason::kTimeout;
  if (!late || !tracker.spec().own_listener) return;
  if (tracker.flows()) return prober_.forgive(index, {"slow", "answers, but not within the probe's timeout"});
  if (auto overload = hang_watch_.overload()) prober_.forgive(index, {"overloaded", std::move(*overload)});
}

void Backend::hang_suspected(const HangVerdict& verdict) {
  const TimePoint now = services_.loop.now();
  if (suspicion_looked_at_ && now - *suspicion_looked_at_ < kLooksAtSuspicions) return;
  suspicion_looked_at_ = now;
  take_evidence(verdict, EvidenceRequest::Moment::kSuspected);
}

void Backend::hang_confirmed(const HangVerdict& verdict) {
  const bool first = !hang_;
  hang_ = verdict;
  const std::string hang_class(to_string(*verdict.hang));
  const auto now = std::chrono::system_clock::now();
  const auto plan = hang_watch_.plan();
  HangSnapshot told = first ? HangSnapshot{} : *last_hang_;
  if (first) told.since = now - wall(verdict.clock);
  told.hang_class = hang_class;
  told.detail = services_.redactor.safe(verdict.why, kShownWhy);
  told.action = lifecycle_.state() == State::kRunning ? to_string(plan.action) : "";
  told.due.reset();
  if (!told.action.empty() && plan.action != HangAction::kReport)
    told.due = now + wall(std::max(plan.patience - verdict.clock, Duration{0}));
  last_hang_ = std::move(told);
  const TimePoint loop_now = services_.loop.now();
  if (first)
    record_.hang(hang_class, to_seconds(loop_now - verdict.since.value_or(loop_now - verdict.clock)));
  services_.log.warning(LogLine("hang_confirmed")
                            .kv("backend", config_.name)
                            .kv("class", hang_class)
                            .kv("why", last_hang_->detail)
                            .kv("for_seconds", to_seconds(verdict.clock))
                            .str());
  take_evidence(verdict, EvidenceRequest::Moment::kConfirmed);
  follow_health();
}

std::string Backend::next_step() const {
  // A start has its own time limit, and says then what it hung in.
  if (lifecycle_.state() != State::kRunning) return "the time limit of the start";
  const auto plan = hang_watch_.plan();
  if (plan.action == HangAction::kReport) return "nothing: a restart would not help, or is not wanted";
  return std::string(to_string(plan.action)) + " when it has lasted " + in_words(plan.patience);
}

void Backend::take_evidence(const HangVerdict& verdict, EvidenceRequest::Moment moment) {
  EvidenceRequest request;
  const auto now = std::chrono::system_clock::now();
  if (incident_.empty()) incident_ = incident_id(now, config_.name);
  request.moment = moment;
  request.id = incident_;
  request.backend = config_.name;
  request.generation = generation_;
  const auto& tree = tree_.identity();
  request.token_prefix = tree.guessable ? tree.guessable_prefix() : tree.token_prefix();
  if (port_) request.server = port_->server();
  request.port = config_.port;
  request.database_ports = HangWatch::database_ports(own_database_port());
  request.hang_class = verdict.hang ? to_string(*verdict.hang) : "";
  request.why = verdict.why;
  for (const auto& [hang, count] : hang_watch_.votes()) request.votes.emplace_back(to_string(hang), count);
  request.since = now - wall(verdict.clock);
  request.next = next_step();
  request.native_stacks = config_.hang_native_stacks;
  request.output_file = config_.output_file;
  if (const auto* database = own_database()) request.database_url = database->url;
  services_.evidence.capture(std::move(request), [this, incident = incident_](const auto& answer) {
    evidence_taken(incident, answer);
  });
}

void Backend::evidence_taken(const std::string& incident,
                             const std::optional<EvidenceRecorder::Answer>& answer) {
  if (answer && hang_ && incident == incident_) {
    if (!answer->where.empty()) last_hang_->where = answer->where;
    if (!answer->id.empty()) {
      last_hang_->evidence = answer->id;
      services_.log.info(LogLine("evidence_taken")
                             .kv("backend", config_.name)
                             .kv("id", answer->id)
                             .kv("where", answer->where)
                             .str());
    }
    changed_();
  }
  if (restart_due_ && !services_.evidence.busy(config_.name)) restart_hung();
}

/// Overrides what the probes say while a hang is confirmed: it names the cause, and what is done about it,
/// and when, is the hang policy's business alone.
void Backend::consider_hang() {
  if (!hang_) return;
  const bool helpless = is_helpless(*hang_->hang);
  health_.health = helpless ? Health::kDegraded : Health::kHung;
  health_.reason = "hang: " + last_hang_->hang_class;
  health_.detail = last_hang_->detail;
  health_.restart = false;
}

void Backend::hang_due(const HangVerdict& verdict, const HangPolicy::Decision& decision) {
  // A start has its own time limit, and says then what it hung in. To go on helps it, too.
  const bool harmless = decision.action == HangAction::kContinue && lifecycle_.state() == State::kStarting;
  if (lifecycle_.state() != State::kRunning && !harmless) return;
  services_.log.warning(LogLine("hang_action")
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
      look("SIGCONT", [this] {
        if (const auto server = port_->server()) tree_.signal(*server, SIGCONT);
      });
      return;
    case HangAction::kRestart:
      restart_due_ = decision;
      // What happens now must not destroy what is being looked at; looking takes three seconds at most.
      if (!services_.evidence.busy(config_.name)) restart_hung();
      return;
  }
}

void Backend::restart_hung() {
  const auto decision = *std::exchange(restart_due_, std::nullopt);
  if (!hang_ || lifecycle_.state() != State::kRunning) return;
  problem_ = "Server hung (" + last_hang_->hang_class + "): " + last_hang_->detail;
  if (!last_hang_->where.empty()) problem_ += ", in " + last_hang_->where;
  problem_ += ".";
  if (!last_hang_->evidence.empty())
    problem_ += " `codex-agent evidence " + last_hang_->evidence + "` tells more.";
  if (decision.restarts_that_did_not_help > 0) {
    problem_ += " It has been restarted for this " + std::to_string(decision.restarts_that_did_not_help) +
                " times in ten minutes without lasting help.";
  }
  record_.trouble(services_.loop.now());
  handle({EventType::kRestart, Cause::kHang});
}

void Backend::hang_over(const HangVerdict& last, Duration lasted) {
  incident_.clear();
  restart_due_.reset();
  if (!hang_) return;  // Only a suspicion, which has cleared.
  hang_.reset();
  prober_.forgive_all();  // It has been dealt with.
  last_hang_->lasted_seconds = to_seconds(lasted);
  last_hang_->action.clear();
  last_hang_->due.reset();
  record_.hang_ended(to_seconds(lasted));
  services_.log.info(LogLine("hang_over")
                         .kv("backend", config_.name)
                         .kv("class", last.hang ? to_string(*last.hang) : "")
                         .kv("lasted_seconds", to_seconds(lasted))
                         .str());
  follow_health();
}

}  // namespace codex
