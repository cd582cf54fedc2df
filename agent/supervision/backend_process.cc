#include "agent/supervision/backend_process.h"

#include <stdexcept>
#include <utility>

#include "agent/os/check.h"
#include "agent/os/process_table.h"
#include "agent/record/log_line.h"

namespace codex {

namespace {

constexpr Duration kAdoptAgain = std::chrono::milliseconds(100);

}  // namespace

BackendProcess::BackendProcess(std::string backend, std::optional<SavedBackend> earlier, Schedule& schedule,
                               BackendTree& tree, StandingTroubles& troubles, BackendRecord& record,
                               Logger& log, Events events)
    : backend_(std::move(backend)),
      earlier_(std::move(earlier)),
      schedule_(schedule),
      tree_(tree),
      troubles_(troubles),
      record_(record),
      log_(log),
      events_(std::move(events)),
      generation_(earlier_ ? earlier_->generation : 0),
      told_to_end_(earlier_ && earlier_->stopping),
      adopt_again_(schedule.alarm("adopt", [this] { adopt(); })) {}

void BackendProcess::spawn() {
  if (!port_is_free_) {
    if (auto stranger = tree_.describe_stranger()) {
      return events_.reported({{EventType::kPortTaken}, std::move(*stranger)});
    }
  }
  if (!tree_.members().empty())
    throw std::logic_error("spawn although processes of the last generation live");
  adopted_ = adopted_ready_ = false;
  tree_.begin_generation();
  events_.begins();
  try {
    tree_.spawn(++generation_);
  } catch (const SpawnError& error) {
    return spawn_failed(error);
  }
  told_to_end_ = false;
  // Whole microseconds, as they are written down for the next agent.
  started_at_ = std::chrono::time_point_cast<std::chrono::microseconds>(schedule_.wall_now());
  record_.started();
  tree_.write_pid_file();
  log_.info(LogLine("spawned")
                .kv("backend", backend_)
                .kv("pid", tree_.leader().value_or(0))
                .kv("generation", generation_)
                .str());
  events_.begun();
}

void BackendProcess::spawn_failed(const SpawnError& error) {
  Event event{EventType::kSpawnFailed, Cause::kExecError};
  event.transient = error.is_passing();
  event.shortage = is_shortage(error.error);
  if (!event.transient) record_.diagnosed(Cause::kExecError);
  events_.reported({event, "Server could not be started: " + error.message});
}

void BackendProcess::leader_exited(const ExitStatus& status) {
  tree_.drain();
  record_.exited(status, schedule_.wall_now());
  log_.info(LogLine("exited")
                .kv("backend", backend_)
                .kv("generation", generation_)
                .kv("how", record_.describe_last_exit())
                .str());
  events_.exited(status);
}

void BackendProcess::tree_empty(bool port_free) {
  port_is_free_ = port_free;
  events_.reported({{EventType::kTreeEmpty}, ""});
  port_is_free_ = false;
}

/// What was written down of this very generation; nullptr if nothing was.
const SavedBackend* BackendProcess::earlier(std::uint64_t generation) const {
  return earlier_ && earlier_->generation == generation ? &*earlier_ : nullptr;
}

/// Whether a leftover had completed its start. What is known of another generation, or nothing, says less than
/// its port.
bool BackendProcess::was_ready(const ProcessTree::Adoptable& leftover) {
  const SavedBackend* const known = earlier(leftover.generation);
  if (known != nullptr && known->ready) return *known->ready;
  return !tree_.look_at_port() || tree_.port()->ours;
}

void BackendProcess::adopt() {
  std::optional<ProcessTree::Adoptable> leftover;
  bool adopted = false;
  const bool known = troubles_.look("adoption", schedule_.now(), [&] {
    leftover = tree_.adoptable();
    adopted = leftover && tree_.adopt(*leftover);
  });
  // What may be well is not to be restarted because it cannot be taken over right now.
  if (!known) return adopt_again_->arm_at(schedule_.now() + kAdoptAgain);
  if (!adopted) return events_.reported({{EventType::kExited, Cause::kCrash}, ""});  // It ended a moment ago.
  generation_ = leftover->generation;
  adopted_ = true;
  const SavedBackend* const known_of_it = earlier(generation_);
  started_at_ = known_of_it != nullptr ? known_of_it->started_at : std::nullopt;
  if (!started_at_) started_at_ = wall_time_of(leftover->leader.start_ticks);
  adopted_ready_ = was_ready(*leftover);
  tree_.begin_generation();
  events_.begins();
  tree_.write_pid_file();
  log_.info(LogLine("adopted")
                .kv("backend", backend_)
                .kv("pid", leftover->leader.pid)
                .kv("generation", generation_)
                .str());
  events_.begun();
}

void BackendProcess::ready() {
  running_since_ = schedule_.now();
  if (!adopted_) return;
  const SavedBackend* const known = earlier(generation_);
  if (known != nullptr && known->running_since) {
    running_since_ = known->running_since;
  } else if (adopted_ready_) {
    *running_since_ -= std::chrono::duration_cast<Duration>(schedule_.wall_now() - *started_at_);
  }
}

void BackendProcess::save(SavedBackend& saved) const {
  saved.generation = generation_;
  saved.started_at = started_at_;
  saved.running_since = running_since_;
}

void BackendProcess::fill(BackendSnapshot& snapshot) const {
  snapshot.generation = generation_;
  snapshot.started_at = started_at_;
  if (running_since_) snapshot.uptime_seconds = to_seconds(schedule_.now() - *running_since_);
}

void BackendProcess::ended() {
  told_to_end_ = false;
  started_at_.reset();
  running_since_.reset();
  tree_.remove_pid_file();
}

}  // namespace codex
