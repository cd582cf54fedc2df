#include <algorithm>
#include <stdexcept>
#include <utility>

#include "agent/os/check.h"
#include "agent/os/kernel_counters.h"
#include "agent/record/log_line.h"
#include "agent/supervision/backend.h"

/// How a generation of a backend begins: by a spawn, or as one that an earlier agent left.

namespace codex {

namespace {

constexpr Duration kAdoptAgain = std::chrono::milliseconds(100);

std::vector<StartupPhase> needed_phases(const BackendConfig& config) {
  std::vector<StartupPhase> phases{StartupPhase::kSpawn};
  const auto any = [&](auto predicate) {
    return std::any_of(config.probes.begin(), config.probes.end(), predicate);
  };
  if (config.port) phases.push_back(StartupPhase::kListen);
  if (any([](const ProbeSpec& spec) { return spec.kind == ProbeKind::kDatabase; })) {
    phases.push_back(StartupPhase::kDatabase);
  }
  if (any([](const ProbeSpec& spec) { return spec.kind != ProbeKind::kDatabase; })) {
    phases.push_back(StartupPhase::kRespond);
  }
  return phases;
}

}  // namespace

void Backend::spawn() {
  if (port_ && port_seen_free_ != services_.loop.now()) {  // Else it was looked at in this very turn.
    if (auto stranger = port_->describe_stranger()) {
      problem_ = std::move(*stranger);
      handle({EventType::kPortTaken});
      return;
    }
  }
  if (!tree_.members().empty())
    throw std::logic_error("spawn although processes of the last generation live");
  const UniqueFd out = output_.open_for_child(0), err = output_.open_for_child(1);
  SpawnRequest request{config_.command,
                       config_.directory,
                       config_.environment,
                       out.get(),
                       err.get(),
                       -1,
                       services_.inherited_open_files};
  begun_at_ = Clock::now();
  startup_.emplace(begun_at_, needed_phases(config_));
  begin_generation();
  try {
    tree_.spawn(std::move(request), ++generation_);
  } catch (const SpawnError& error) {
    spawn_failed(error);
    return;
  }
  problem_.clear();
  told_to_end_ = false;
  adopted_ = false;
  record_.started();
  started_at_ = std::chrono::system_clock::now();
  prober_.begin_generation();
  oom_kills_ = kernel_oom_kills();
  arm_listen_timer();
  announce_pid();
  services_.log.info(LogLine("spawned")
                         .kv("backend", config_.name)
                         .kv("pid", tree_.leader().value_or(0))
                         .kv("generation", generation_)
                         .str());
}

/// What is remembered of the last generation says nothing about the next one.
void Backend::begin_generation() {
  output_.forget_last_lines();
  wrapper_.begin_generation();
  memory_.begin_generation();
  reconnect_ = ReconnectGuard(config_.restart.reconnect_timeout);
  server_.follow(std::nullopt);
  resumed_ready_ = served_ = false;
  if (port_) hang_watch_.watch_start(own_database_port(), config_.start_timeout);
}

void Backend::spawn_failed(const SpawnError& error) {
  problem_ = "Server could not be started: " + error.message;
  Event event{EventType::kSpawnFailed, Cause::kExecError};
  event.transient = error.is_passing();
  event.shortage = is_shortage(error.error);
  if (!event.transient) record_.diagnosed(Cause::kExecError);
  handle(event);
}

/// Whether a leftover had completed its start. What is known of another generation, or nothing, says less than
/// its port.
bool Backend::was_ready(const ProcessTree::Adoptable& leftover) {
  const auto earlier = services_.state.earlier(config_.name);
  if (earlier && earlier->ready && earlier->generation == leftover.generation) return *earlier->ready;
  return !look_at_port() || port_->last().ours;
}

void Backend::adopt() {
  std::optional<ProcessTree::Adoptable> leftover;
  bool adopted = false;
  const bool known = look("adoption", [&] {
    leftover = tree_.adoptable();
    if (leftover) output_.adopt(leftover->leader.pid);
    adopted = leftover && tree_.adopt(*leftover);
  });
  // What may be well is not to be restarted because it cannot be taken over right now.
  if (!known) return adopt_timer_.arm_after(kAdoptAgain);
  if (!adopted) {  // It ended a moment ago.
    handle({EventType::kExited, Cause::kCrash});
    return;
  }
  problem_.clear();
  begin_generation();
  generation_ = leftover->generation;
  adopted_ = true;
  started_at_ = wall_time_of(leftover->leader.start_ticks);
  begun_at_ = Clock::now();
  startup_.emplace(begun_at_, needed_phases(config_));
  startup_->set(StartupPhase::kSpawn, true, begun_at_);
  resumed_ready_ = was_ready(*leftover);
  prober_.begin_generation();
  announce_pid();
  sample();
  services_.log.info(LogLine("adopted")
                         .kv("backend", config_.name)
                         .kv("pid", leftover->leader.pid)
                         .kv("generation", generation_)
                         .str());
  follow_startup();
}

}  // namespace codex
