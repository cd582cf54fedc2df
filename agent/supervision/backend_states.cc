#include <iterator>
#include <utility>

#include "agent/supervision/backend.h"
#include "agent/supervision/describe.h"
#include "agent/text/quantity.h"

/// What a new state means for a Backend's parts, and how it is told.

namespace codex {

namespace {

constexpr std::ptrdiff_t kShownOutput = 10;

}  // namespace

/// Follow-up of a change of state, before its actions are carried out.
void Backend::entered(State before) {
  const State state = lifecycle().state();
  if (before == State::kStarting && state != State::kRunning) start_failed();
  if (before == State::kStarting || before == State::kRunning) {
    startup_.end();
    process_.give_up_adopting();
    if (state != State::kRunning) {
      prober_.stop();
      hangs_.stop();
    }
  }
  health_.forget();
  if (before == State::kBackoff || before == State::kFailed) {
    awaited_.end();
    prober_.stop();
  }
  std::string detail = state == State::kStarting ? "" : story_.problem();
  switch (state) {
    case State::kRunning:
      if (!process_.adopted())
        story_.record().startup_completed(startup_.phases(), to_seconds(startup_.elapsed()));
      story_.well();
      startup_.forget();
      application_.served();
      process_.ready();
      if (process_.adopted_ready()) prober_.forgive_all();  // They were asked in a hurry.
      story_.tell_problem("");
      prober_.begin_running();
      detail = summary();
      break;
    case State::kFailed:
      if (lifecycle().cause() == Cause::kStartLimit) {
        detail += " It was restarted " + count_text(context_.config.restart.start_limit, "time") +
                  " without success; see codex-agent logs.";
        story_.tell_problem(detail);
      }
      rest();
      break;
    case State::kStopped:
      story_.tell_problem("");
      story_.record().no_trouble();
      rest();
      break;
    case State::kBackoff:
      rest();
      break;
    case State::kStarting:
    case State::kStopping:
      break;
  }
  awaited_.begin();
  publish(to_string(lifecycle().cause()), detail);
  if (state != State::kRunning) return;
  hangs_.watch().start_is_over();
  resources_.look();
}

/// Nothing runs any more.
void Backend::rest() {
  tree_.drain();
  startup_.forget();
  process_.ended();
  resources_.look();
}

void Backend::start_failed() {
  auto& record = story_.record();
  switch (lifecycle().cause()) {
    case Cause::kPortTaken:
      return;  // nothing was started
    case Cause::kExecError:
      return record.start_failed("exec_error");
    case Cause::kStopCommand:
    case Cause::kRestartCommand:
      return record.start_failed("aborted");
    case Cause::kStartTimeout:
      break;
    default:
      return record.start_failed("early_exit");
  }
  record.start_failed("ready_timeout");
  story_.ill();
  const auto hang = hangs_.hang();
  const std::string said = application_.said();
  story_.tell_problem(startup_.describe_timeout(hang ? hang->detail : "") +
                      (said.empty() ? "" : " It said: " + said + "."));
}

/// Tells everybody what is exported as the state, should it be a new one: only this does.
void Backend::publish(std::string_view reason, const std::string& detail) {
  const bool ill = lifecycle().state() == State::kRunning && health_.verdict().health != Health::kHealthy;
  story_.publish(ill ? to_string(health_.verdict().health) : to_string(lifecycle().state()), reason, detail);
}

std::string Backend::summary() const {
  switch (lifecycle().state()) {
    case State::kRunning: {
      BackendSnapshot recorded;
      story_.fill(recorded);
      return process_.adopted() ? "running, taken over from an earlier agent"
                                : "running, " + describe_startup(recorded.startup);
    }
    case State::kStopped:
      return "stopped";
    case State::kStarting:
    case State::kStopping:
    case State::kBackoff:
    case State::kFailed:
      return story_.problem().empty() ? std::string(to_string(lifecycle().state())) : story_.problem();
  }
  return {};
}

std::vector<std::string> Backend::last_output() const {
  auto lines = tree_.last_lines(TimePoint::min());
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (std::ssize(lines) > kShownOutput) lines.erase(lines.begin(), lines.end() - kShownOutput);
  return lines;
}

std::string Backend::progress() const {
  const auto phase = startup_.waiting_for();
  return story_.record().state() + " " + std::string(phase ? to_string(*phase) : "");
}

BackendSnapshot Backend::snapshot() const {
  BackendSnapshot snapshot;
  const BackendConfig& config = context_.config;
  const Schedule& schedule = context_.services.schedule;
  const TimePoint now = schedule.now();
  const HealthVerdict& health = health_.verdict();
  const bool running = lifecycle().state() == State::kRunning;
  story_.fill(snapshot);
  tree_.fill(snapshot);
  process_.fill(snapshot);
  if (!running) snapshot.uptime_seconds.reset();
  startup_.fill(snapshot.startup);
  hangs_.fill(snapshot);
  for (const auto& probe : prober_.trackers()) {
    snapshot.probes.push_back(probe.snapshot());
    if (const auto ended = probe.last_ended()) snapshot.probes.back().age_seconds = to_seconds(now - *ended);
  }
  snapshot.name = config.name;
  snapshot.state = story_.record().state();
  snapshot.health = running ? std::string(to_string(health.health)) : "unknown";
  snapshot.health_reason =
      running && health.health == Health::kHealthy ? describe_doubts(snapshot.probes) : health.reason;
  snapshot.desired_running = lifecycle().desired_running();
  snapshot.ready = running && health.health == Health::kHealthy;
  snapshot.backoff_seconds = to_seconds(lifecycle().backoff_delay());
  snapshot.next_attempt = driver_.next_attempt();
  snapshot.awaiting = to_string(lifecycle().awaiting());
  snapshot.restart_budget = lifecycle().budget().remaining(now);
  snapshot.restart_limit = config.restart.start_limit;
  snapshot.restart_interval_seconds = to_seconds(config.restart.start_limit_interval);
  snapshot.memory_limit_bytes = config.memory_limit_bytes;
  snapshot.startup_timeout_seconds = to_seconds(config.start_timeout);
  snapshot.log_file = config.output_file;
  snapshot.problem = snapshot.ready ? "" : story_.problem();
  if (running && snapshot.problem.empty()) snapshot.problem = application_.idle();
  return snapshot;
}

}  // namespace codex
