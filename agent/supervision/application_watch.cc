#include "agent/supervision/application_watch.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/config_files/values.h"
#include "agent/policy/wrapper_words.h"
#include "agent/supervision/describe.h"

namespace codex {

namespace {

constexpr Duration kIdlePeriod = std::chrono::milliseconds(100);
constexpr Duration kLastWords = std::chrono::seconds(5);
constexpr std::size_t kShownWords = 200, kShownEvidence = 400;

constexpr std::string_view kGone = "the application has ended, and ";
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

/// Who waits for an edit, if that is known and it waits for one of what has ended.
std::string waits(const std::optional<WrapperWord>& word, const ExitDiagnosis& diagnosis) {
  const bool others = word && diagnosis.words && diagnosis.label != word->label;
  return word && !others ? std::string(word->name) + " waits for an edit" : "what started it lives on";
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

/// The line that says why, with its place; "" if nothing was said.
std::string ApplicationWatch::words(const ExitDiagnosis& diagnosis) const {
  if (!diagnosis.words) return "";
  return redactor_.safe(to_text(*diagnosis.words, config_.directory.string(), kShownWords), kShownEvidence);
}

/// It has been well with its code as it is; if that has changed, the next start tells.
bool ApplicationWatch::code_is_good() const {
  return served_ && !(tree_.leader() && (wrapper_.renewed() || tells_start(tree_.last_lines(outlived()))));
}

/// What a start after an end by `cause` would lack.
Await ApplicationWatch::cure(Cause cause) {
  switch (cause) {
    case Cause::kModuleNotFound:
    case Cause::kSyntaxError:
      return code_is_good() ? Await::kNone : Await::kChange;
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

std::string ApplicationWatch::said() {
  const auto diagnosis = diagnose(kUnknownExit);
  return diagnosis.words && diagnosis.words->telling >= Telling::kError ? words(diagnosis) : "";
}

void ApplicationWatch::leader_exited(const ExitStatus& status) {
  if (lifecycle_.state() != State::kStarting && lifecycle_.state() != State::kRunning)
    return hands_.ended({{EventType::kExited}, ""});
  const auto diagnosis = diagnose(status);
  std::string how = "Server process died unexpectedly: " + record_.describe_last_exit();
  const bool telling = diagnosis.cause != Cause::kExit && diagnosis.cause != Cause::kCrash;
  if (telling && diagnosis.words) how += ", " + std::string(to_string(diagnosis.cause));
  ended(diagnosis, how);
}

/// It has ended, though a wrapper may live on; `how` begins the sentence that people read.
void ApplicationWatch::ended(const ExitDiagnosis& diagnosis, const std::string& how) {
  const Event event{EventType::kExited, diagnosis.cause, cure(diagnosis.cause)};
  const std::string why = words(diagnosis);
  record_.diagnosed(diagnosis.cause, why);
  std::string problem = how + (why.empty() ? "" : ": " + why) + ".";
  record_.ended(problem, schedule_.wall_now());
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

bool ApplicationWatch::only_wrappers_live() {
  const auto members = tree_.members();
  return is_chain(members) && std::all_of(members.begin(), members.end(), [&](const ProcStat& member) {
           return is_wrapper(tree_.command(member.pid));
         });
}

/// It never listened, so nothing but the wrapper's word tells a slow start from one that has ended. It is
/// believed where nothing lives that might be the server, or start it.
void ApplicationWatch::look_at_start() {
  const auto word = wrapper_says(tree_.last_lines(TimePoint::min()));
  if (!word || (tree_.port()->ours && !word->holds_port) || !only_wrappers_live()) return;
  auto diagnosis = diagnose(kUnknownExit);
  if (diagnosis.cause == Cause::kCrash) {
    if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait) return;
    diagnosis.cause = Cause::kWrapperIdle;
  }
  ended(diagnosis, "Server has ended before it was ready, and " + waits(word, diagnosis));
}

void ApplicationWatch::found_idle() {
  const auto diagnosis = diagnose(kUnknownExit);
  const std::string why = words(diagnosis);
  idle_ = std::string(kGone) + waits(wrapper_says(tree_.last_lines(outlived())), diagnosis) +
          (why.empty() ? "" : ": " + why);
  // What only an edit can mend is left to the wrapper, which waits for just that.
  if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait ||
      cure(diagnosis.cause) == Await::kChange) {
    record_.diagnosed(Cause::kWrapperIdle, why);
    return hands_.changed();
  }
  give_up_waiting();
}

/// It has been left to the wrapper; that may have missed the edit.
void ApplicationWatch::idles_on(TimePoint since) {
  const Duration patience = config_.restart.retry_interval;
  const bool long_enough = patience > Duration{0} && schedule_.now() - since >= patience;
  if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait || !long_enough) return;
  give_up_waiting();
}

void ApplicationWatch::give_up_waiting() {
  std::string problem = "Server has ended, and " + std::exchange(idle_, {}).substr(kGone.size()) + ".";
  record_.diagnosed(Cause::kWrapperIdle);
  record_.ended(problem, schedule_.wall_now());
  hands_.ended({{EventType::kExited, Cause::kWrapperIdle}, std::move(problem)});
}

}  // namespace codex
