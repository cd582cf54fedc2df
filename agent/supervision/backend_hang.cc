#include <csignal>

#include "agent/supervision/backend.h"
#include "agent/supervision/describe.h"
#include "agent/supervision/log_line.h"

/// What a backend makes of the news of its hang watch.

namespace codex {

namespace {

constexpr std::size_t kShownWhy = 256;

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

/// The process that has the port now is the one whose progress counts.
void Backend::follow_server() {
  const auto server = port_->server();
  if (!server) return;
  std::optional<std::uint16_t> database;
  for (const auto& probe : config_.probes) {
    if (probe.kind == ProbeKind::kDatabase && !probe.target.starts_with("sqlite"))
      database = database_port(probe);
  }
  hang_watch_.watch(*server, port_->server_address(), *config_.port, database);
}

void Backend::probe_asked(std::size_t index) {
  if (const auto asked = asked_of(prober_.trackers()[index].spec())) hang_watch_.probe_began(*asked);
}

void Backend::probe_answered(std::size_t index) {
  const auto& tracker = prober_.trackers()[index];
  if (const auto asked = asked_of(tracker.spec())) hang_watch_.probe_ended(*asked, tracker.last_outcome());
}

void Backend::hang_confirmed(const HangVerdict& verdict) {
  const bool first = !hang_;
  hang_ = verdict;
  const std::string hang_class(to_string(*verdict.hang));
  const auto began = std::chrono::system_clock::now() -
                     std::chrono::duration_cast<std::chrono::system_clock::duration>(verdict.clock);
  last_hang_ = HangSnapshot{hang_class, began, services_.redactor.safe(verdict.why, kShownWhy)};
  if (first) record_.hang(hang_class);
  services_.log.warning(LogLine("hang_confirmed")
                            .kv("backend", config_.name)
                            .kv("class", hang_class)
                            .kv("why", last_hang_->detail)
                            .kv("for_seconds", to_seconds(verdict.clock))
                            .str());
  follow_health();
}

/// Overrides what the probes say while a hang is confirmed: it names the cause, and knows whether a restart
/// helps.
void Backend::consider_hang() {
  if (!hang_) return;
  const bool helpless = is_helpless(*hang_->hang);
  health_.health = helpless ? Health::kDegraded : Health::kHung;
  health_.reason = "hang: " + last_hang_->hang_class;
  health_.detail = last_hang_->detail;
  health_.restart = health_.restart && !helpless && !hang_->debugger;
}

void Backend::hang_due(const HangVerdict& verdict, const HangPolicy::Decision& decision) {
  // A start has its own time limit, and says then what it hung in.
  if (lifecycle_.state() != State::kRunning) return;
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
      if (const auto server = port_->server()) tree_.signal(*server, SIGCONT);
      return;
    case HangAction::kRestart:
      problem_ = "Server hung (" + std::string(to_string(*verdict.hang)) +
                 "): " + services_.redactor.safe(verdict.why, kShownWhy) + ".";
      if (decision.restarts_that_did_not_help > 0) {
        problem_ += " It has been restarted for this " + std::to_string(decision.restarts_that_did_not_help) +
                    " times in ten minutes without lasting help.";
      }
      record_.trouble(services_.loop.now());
      handle({EventType::kRestart, Cause::kHang});
      return;
  }
}

void Backend::hang_over(const HangVerdict& last, Duration lasted) {
  if (!hang_) return;  // Only a suspicion, which has cleared.
  hang_.reset();
  record_.hang_ended(to_seconds(lasted));
  services_.log.info(LogLine("hang_over")
                         .kv("backend", config_.name)
                         .kv("class", last.hang ? to_string(*last.hang) : "")
                         .kv("lasted_seconds", to_seconds(lasted))
                         .str());
  follow_health();
}

}  // namespace codex
