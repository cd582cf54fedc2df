#include "agent/supervision/application_watch.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/config_files/values.h"
#include "agent/supervision/describe.h"

namespace codex {

namespace {

constexpr Duration kIdlePeriod = std::chrono::milliseconds(100);
constexpr Duration kLastWords = std::chrono::seconds(5);
constexpr std::size_t kShownEvidence = 200;

constexpr ExitStatus kUnknownExit{false, 0, 0, false};

std::string_view awaited(Await await) {
  switch (await) {
    case Await::kNone:
      return "";
    case Await::kChange:
      return "a file of the project changes";
    case Await::kDatabase:
      return "the database answers";
    case Await::kPort:
      return "the port is free";
  }
  return "";
}

std::string outlook(Await await, const RestartConfig& restart) {
  if (await == Await::kNone || restart.policy == RestartPolicy::kNever) return "";
  const std::string text = " It is started again when " + std::string(awaited(await));
  if (restart.retry_interval <= Duration{0}) return text + ".";
  return text + ", or in " + format_duration(restart.retry_interval) + ".";
}

}  // namespace

ApplicationWatch::ApplicationWatch(const BackendConfig& config, const std::vector<ProbeTracker>& probes,
                                   const Lifecycle& lifecycle, Schedule& schedule, BackendTree& tree,
                                   BackendRecord& record, const Redactor& redactor, Hands hands)
    : config_(config),
      probes_(probes),
      lifecycle_(lifecycle),
      schedule_(schedule),
      tree_(tree),
      record_(record),
      redactor_(redactor),
      hands_(std::move(hands)),
      look_again_(schedule.alarm("idle_wrapper", [this] { hands_.look_again(); })) {}

void ApplicationWatch::begin_generation() {
  wrapper_.begin_generation();
  idle_.clear();
  served_ = false;
  oom_kills_ = hands_.oom_kills();
}

/// What was written before is no reason for an end: the backend was well afterwards. So no client decides by
/// what is logged of him whether it is started again.
TimePoint ApplicationWatch::outlived() const {
  if (!served_) return TimePoint::min();
  std::optional<TimePoint> well;
  for (const ProbeTracker& probe : probes_) {
    if (probe.spec().own_listener) well = std::max(well, probe.last_success_began());
  }
  return well.value_or(schedule_.now() - kLastWords);
}

ExitDiagnosis ApplicationWatch::diagnose(const ExitStatus& status) {
  const bool killed = status.signal == SIGKILL || status.code == 128 + SIGKILL;
  ExitFacts facts{status, tree_.last_lines(outlived()), killed && hands_.oom_kills() > oom_kills_, {}};
  for (const auto& probe : config_.probes) {
    if (probe.kind == ProbeKind::kDatabase) facts.database_ports.push_back(database_port(probe));
  }
  return diagnose_exit(facts);
}

/// What a start after an end by `cause` would lack.
Await ApplicationWatch::cure(Cause cause) {
  switch (cause) {
    case Cause::kModuleNotFound:
    case Cause::kSyntaxError:
      // With the code as it is it has been well; if that has changed, the next start tells.
      return served_ && !tree_.leader() ? Await::kNone : Await::kChange;
    case Cause::kDatabaseRefused:
      return std::any_of(config_.probes.begin(), config_.probes.end(),
                         [](const ProbeSpec& probe) { return probe.kind == ProbeKind::kDatabase; })
                 ? Await::kDatabase
                 : Await::kNone;
    case Cause::kPortTaken:
      return tree_.describe_stranger() ? Await::kPort : Await::kNone;
    default:
      return Await::kNone;
  }
}

void ApplicationWatch::leader_exited(const ExitStatus& status) {
  const std::string how = record_.describe_last_exit();
  if (lifecycle_.state() == State::kStarting || lifecycle_.state() == State::kRunning) {
    return ended(diagnose(status), "Server process died unexpectedly: " + how);
  }
  hands_.ended({{EventType::kExited}, ""});
}

/// It has ended, though a wrapper may live on; `how` begins the sentence that people read.
void ApplicationWatch::ended(const ExitDiagnosis& diagnosis, const std::string& how) {
  const Event event{EventType::kExited, diagnosis.cause, cure(diagnosis.cause)};
  record_.diagnosed(diagnosis.cause);
  std::string problem = how;
  if (!diagnosis.evidence.empty()) {
    problem += ", " + std::string(to_string(diagnosis.cause)) + ": " +
               redactor_.safe(diagnosis.evidence, kShownEvidence);
  }
  problem += ".";
  const bool refused = event.await == Await::kPort && lifecycle_.commanded();
  if (!refused) problem += outlook(event.await, config_.restart);
  hands_.ended({event, std::move(problem)});
}

void ApplicationWatch::look() {
  if (tree_.port() == nullptr) return;
  if (lifecycle_.state() == State::kStarting) return look_at_start();
  if (lifecycle_.state() != State::kRunning) return;
  const TimePoint now = schedule_.now();
  wrapper_.observe(tree_.port()->ours ? std::vector<ProcStat>{} : tree_.members(), tree_.server(), now);
  if (!wrapper_.suspicious()) {
    // An edit has come, and what it starts needs its time to listen.
    if (!std::exchange(idle_, {}).empty()) hands_.forgive();
    return;
  }
  const auto since = wrapper_.idle_since(now);
  if (!since) {
    look_again_->arm_at(now + kIdlePeriod);
    return hands_.changed();
  }
  idle_.empty() ? found_idle() : idles_on(*since);
}

/// It never listened, so nothing but the wrapper's word tells a slow start from one that has ended.
void ApplicationWatch::look_at_start() {
  const auto word = tree_.port()->ours ? std::nullopt : wrapper_says(tree_.last_lines(TimePoint::min()));
  if (!word) return;
  auto diagnosis = diagnose(kUnknownExit);
  if (diagnosis.cause == Cause::kCrash) {
    if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait) return;
    diagnosis = {Cause::kWrapperIdle, *word};
  }
  ended(diagnosis, "Server has ended before it was ready");
}

void ApplicationWatch::found_idle() {
  idle_ = "the application has ended, and what started it lives on";
  const auto diagnosis = diagnose(kUnknownExit);
  const std::string evidence = redactor_.safe(diagnosis.evidence, kShownEvidence);
  if (!evidence.empty()) idle_ += " (" + std::string(to_string(diagnosis.cause)) + ": " + evidence + ")";
  // What only an edit can mend is left to the wrapper, which waits for just that.
  if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait ||
      cure(diagnosis.cause) == Await::kChange) {
    record_.diagnosed(Cause::kWrapperIdle);
    return hands_.changed();
  }
  ended({Cause::kWrapperIdle, {}}, "Wrapper is idle: " + std::exchange(idle_, {}));
}

/// It has been left to the wrapper; that may have missed the edit.
void ApplicationWatch::idles_on(TimePoint since) {
  const Duration patience = config_.restart.retry_interval;
  const bool long_enough = patience > Duration{0} && schedule_.now() - since >= patience;
  if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait || !long_enough) return;
  ended({Cause::kWrapperIdle, {}}, "Wrapper is idle: " + std::exchange(idle_, {}));
}

}  // namespace codex
