#include "agent/supervision/backend.h"

#include <algorithm>

#include "agent/supervision/describe.h"

namespace codex {

namespace {

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

std::string Backend::summary() const {
  switch (lifecycle_.state()) {
    case State::kRunning: {
      BackendSnapshot recorded;
      record_.fill(recorded);
      return adopted_ ? "running, taken over from an earlier agent"
                      : "running, " + describe_startup(recorded.startup);
    }
    case State::kStopped:
      return "stopped";
    case State::kStarting:
    case State::kStopping:
    case State::kBackoff:
    case State::kFailed:
      return problem_.empty() ? std::string(to_string(lifecycle_.state())) : problem_;
  }
  return {};
}

std::string Backend::progress() const {
  const auto phase = startup_ ? startup_->waiting_for() : std::nullopt;
  return record_.state() + " " + std::string(phase ? to_string(*phase) : "");
}

HangSnapshot Backend::hang_snapshot() const {
  HangSnapshot hang = *last_hang_;
  const WallTime now = std::chrono::system_clock::now();
  const auto seconds = [](WallTime::duration duration) {
    return std::chrono::duration<double>(duration).count();
  };
  hang.lasted_seconds = std::max(0.0, seconds(now - hang.since));
  if (hang.due) hang.due_in_seconds = std::max(0.0, seconds(*hang.due - now));
  return hang;
}

BackendSnapshot Backend::snapshot() {
  BackendSnapshot snapshot;
  record_.fill(snapshot);
  const TimePoint now = Clock::now();
  const bool running = lifecycle_.state() == State::kRunning;
  snapshot.name = config_.name;
  snapshot.state = record_.state();
  snapshot.health = running ? std::string(to_string(health_.health)) : "unknown";
  snapshot.health_reason = health_.reason;
  snapshot.desired_running = lifecycle_.desired_running();
  snapshot.ready = running && health_.health == Health::kHealthy;
  snapshot.pid = tree_.leader();
  snapshot.generation = generation_;
  snapshot.started_at = started_at_;
  if (running) snapshot.uptime_seconds = to_seconds(now - running_since_);
  snapshot.backoff_seconds = to_seconds(lifecycle_.backoff_delay());
  if (const auto next = lifecycle_.next_attempt()) {
    snapshot.next_attempt = std::chrono::system_clock::now() +
                            std::chrono::duration_cast<std::chrono::system_clock::duration>(*next - now);
  }
  snapshot.awaiting = to_string(lifecycle_.awaiting());
  snapshot.restart_budget = lifecycle_.budget().remaining(now);
  snapshot.restart_limit = config_.restart.start_limit;
  snapshot.restart_interval_seconds = to_seconds(config_.restart.start_limit_interval);
  snapshot.memory_limit_bytes = config_.memory_limit_bytes;
  if (port_) snapshot.port = port_->last();
  for (const auto& tracker : prober_.trackers()) snapshot.probes.push_back(tracker.snapshot());
  if (startup_) {
    if (const auto phase = startup_->waiting_for())
      snapshot.startup.waiting_for = std::string(to_string(*phase));
    for (const auto& [phase, took] : startup_->phases()) {
      snapshot.startup.progress.emplace_back(to_string(phase), to_seconds(took));
    }
  }
  if (hang_) snapshot.hang = hang_snapshot();
  if (!hang_) snapshot.last_hang = last_hang_;
  snapshot.hang_signals = counts_of(hang_watch_.signals());
  snapshot.overloaded = hang_watch_.overload().has_value();
  snapshot.hang_watch_cpu_seconds = to_seconds(hang_watch_.spent());
  snapshot.startup_timeout_seconds = to_seconds(config_.start_timeout);
  snapshot.totals = sampler_.snapshot();
  if (snapshot.totals.processes > 0) snapshot.resources = snapshot.totals;
  for (std::size_t i = 0; i < ChildOutput::kStreams; ++i) {
    snapshot.output.lines[std::string(kStreams[i])] = output_.stats(i).lines;
    snapshot.output.bytes[std::string(kStreams[i])] = output_.stats(i).bytes;
  }
  snapshot.output.last_output = output_.last_output();
  snapshot.output.dropped_bytes = output_file_.stats().bytes_dropped;
  snapshot.log_file = config_.output_file;
  snapshot.problem = running && health_.health == Health::kHealthy ? "" : problem_;
  return snapshot;
}

}  // namespace codex
