#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/config_files/values.h"
#include "agent/os/kernel_counters.h"
#include "agent/record/log_line.h"
#include "agent/supervision/backend.h"
#include "agent/supervision/describe.h"

/// Ends that nobody asked for: how they are noticed, told apart and made good.

namespace codex {

namespace {

using std::chrono::milliseconds;

constexpr Duration kIdlePeriod = milliseconds(100);
constexpr Duration kPortPeriod = milliseconds(200);
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

/// What was written before is no reason for an end: the backend was well afterwards. So no client decides by
/// what is logged of him whether it is started again.
TimePoint Backend::outlived() const {
  if (!served_) return TimePoint::min();
  std::optional<TimePoint> well;
  for (const ProbeTracker& probe : prober_.trackers()) {
    if (probe.spec().own_listener) well = std::max(well, probe.last_success_began());
  }
  return well.value_or(services_.loop.now() - kLastWords);
}

ExitDiagnosis Backend::diagnose(const ExitStatus& status) {
  const bool killed = status.signal == SIGKILL || status.code == 128 + SIGKILL;
  ExitFacts facts{status, output_.last_lines(outlived()), killed && kernel_oom_kills() > oom_kills_, {}};
  for (const auto& probe : config_.probes) {
    if (probe.kind == ProbeKind::kDatabase) facts.database_ports.push_back(database_port(probe));
  }
  return diagnose_exit(facts);
}

/// What a start after an end by `cause` would lack.
Await Backend::cure(Cause cause) {
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
      return port_ && port_->describe_stranger() ? Await::kPort : Await::kNone;
    default:
      return Await::kNone;
  }
}

void Backend::exited(const ExitStatus& status) {
  output_.drain();
  record_.exited(status, std::chrono::system_clock::now());
  const std::string how = record_.describe_last_exit();
  services_.log.info(
      LogLine("exited").kv("backend", config_.name).kv("generation", generation_).kv("how", how).str());
  if (lifecycle_.state() == State::kStarting || lifecycle_.state() == State::kRunning) {
    application_ended(diagnose(status), "Server process died unexpectedly: " + how);
  } else {
    handle({EventType::kExited});
  }
}

/// It has ended, though a wrapper may live on; `how` begins the sentence that people read.
void Backend::application_ended(const ExitDiagnosis& diagnosis, const std::string& how) {
  Event event{EventType::kExited, diagnosis.cause, cure(diagnosis.cause)};
  record_.diagnosed(diagnosis.cause);
  record_.trouble(services_.loop.now());
  problem_ = how;
  if (!diagnosis.evidence.empty()) {
    problem_ += ", " + std::string(to_string(diagnosis.cause)) + ": " +
                services_.redactor.safe(diagnosis.evidence, kShownEvidence);
  }
  problem_ += ".";
  const bool refused = event.await == Await::kPort && lifecycle_.commanded();
  if (!refused) problem_ += outlook(event.await, config_.restart);
  handle(event);
}

void Backend::look_for_idle_wrapper() {
  const State state = lifecycle_.state();
  if (!port_ || (state != State::kRunning && state != State::kStarting)) return;
  const TimePoint now = services_.loop.now();
  if (state == State::kStarting) {
    // It never listened, so nothing but the wrapper's word tells a slow start from one that has ended.
    const auto lines = output_.last_lines();
    const auto word = port_->last().ours ? std::nullopt : wrapper_says(lines);
    if (!word) return;
    auto diagnosis = diagnose(kUnknownExit);
    if (diagnosis.cause == Cause::kCrash) {
      if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait) return;
      diagnosis = {Cause::kWrapperIdle, *word};
    }
    return application_ended(diagnosis, "Server has ended before it was ready");
  }
  if (!look_at_port()) return;
  look("server's end", [this] { server_.follow(port_->server()); });
  follow_server();
  wrapper_.observe(port_->last().ours ? std::vector<ProcStat>{} : tree_.members(), port_->server(), now);
  if (!wrapper_.suspicious()) {
    // An edit has come, and what it starts needs its time to listen.
    if (!idle_wrapper_.empty()) prober_.forgive_all();
    idle_wrapper_.clear();
    return;
  }
  if (!wrapper_.idle_since(now)) {
    idle_timer_.arm_after(kIdlePeriod);
    return follow_health();
  }
  if (!idle_wrapper_.empty()) {
    const bool long_enough = config_.restart.retry_interval > Duration{0} &&
                             now - *wrapper_.idle_since(now) >= config_.restart.retry_interval;
    if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait || !long_enough) return;
    return application_ended({Cause::kWrapperIdle, {}},
                             "Wrapper is idle: " + std::exchange(idle_wrapper_, {}));
  }
  idle_wrapper_ = "the application has ended, and what started it lives on";
  const auto diagnosis = diagnose(kUnknownExit);
  const std::string evidence = services_.redactor.safe(diagnosis.evidence, kShownEvidence);
  if (!evidence.empty())
    idle_wrapper_ += " (" + std::string(to_string(diagnosis.cause)) + ": " + evidence + ")";
  // What only an edit can mend is left to the wrapper, which waits for just that.
  if (config_.restart.on_wrapper_idle == WrapperIdleAction::kWait ||
      cure(diagnosis.cause) == Await::kChange) {
    record_.diagnosed(Cause::kWrapperIdle);
    return follow_health();
  }
  application_ended({Cause::kWrapperIdle, {}}, "Wrapper is idle: " + std::exchange(idle_wrapper_, {}));
}

void Backend::watch_memory() {
  if (lifecycle_.state() != State::kRunning) return;
  const auto& usage = sampler_.last();
  const std::uint64_t used = usage.proportional_bytes.value_or(usage.resident_bytes);
  if (!memory_.exceeded(used, services_.loop.now())) return;
  problem_ = describe_memory(*config_.memory_limit_bytes, used, tree_.members(), services_.redactor);
  record_.trouble(services_.loop.now());
  handle({EventType::kRestart, Cause::kMemoryLimit});
}

/// Begins to look for what the pending start waits for.
void Backend::await() {
  switch (lifecycle_.awaiting()) {
    case Await::kNone:
      return;
    case Await::kChange:
      return change_.start();
    case Await::kDatabase:
      return prober_.begin_generation();
    case Await::kPort:
      return await_timer_.arm_after(kPortPeriod);
  }
}

/// Not everything can be watched, so that an edit may be missed: try again by the clock as well.
void Backend::change_limited() {
  services_.log.warning(LogLine("change_watch_limited")
                            .kv("backend", config_.name)
                            .kv("why", services_.redactor.safe(change_.limited()))
                            .str());
  if (config_.restart.retry_interval > Duration{0}) await_timer_.arm_after(config_.restart.retry_interval);
}

void Backend::follow_awaited() {
  bool come = false;
  switch (lifecycle_.awaiting()) {
    case Await::kNone:
      return;
    case Await::kChange:
      come = !change_.limited().empty();
      break;
    case Await::kDatabase:
      come = std::all_of(prober_.trackers().begin(), prober_.trackers().end(), [](const ProbeTracker& probe) {
        return probe.spec().kind != ProbeKind::kDatabase || probe.succeeding();
      });
      break;
    case Await::kPort:
      await_timer_.arm_after(kPortPeriod);
      come = look_at_port() && !port_->last().listening;
      break;
  }
  if (come) unblock();
}

void Backend::unblock() {
  Event event{EventType::kUnblocked};
  event.leftovers = may_have_leftovers();
  services_.log.info(
      LogLine("unblocked").kv("backend", config_.name).kv("awaited", to_string(lifecycle_.awaiting())).str());
  handle(event);
}

}  // namespace codex
