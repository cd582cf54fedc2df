#include "agent/supervision/resource_watch.h"

#include <string>
#include <utility>

#include "agent/supervision/describe.h"

namespace codex {

namespace {

constexpr Duration kPeriod = std::chrono::seconds(1);

}  // namespace

ResourceWatch::ResourceWatch(std::optional<std::uint64_t> limit_bytes, const Lifecycle& lifecycle,
                             Schedule& schedule, BackendTree& tree, StandingTroubles& troubles,
                             const Redactor& redactor, Hands hands)
    : limit_bytes_(limit_bytes),
      lifecycle_(lifecycle),
      schedule_(schedule),
      tree_(tree),
      troubles_(troubles),
      redactor_(redactor),
      hands_(std::move(hands)),
      memory_(limit_bytes),
      look_again_(schedule.alarm(
          "sample", [this] { look(); }, Priority::kNormal, std::chrono::milliseconds(20))) {}

void ResourceWatch::look() {
  look_again_->arm_at(schedule_.now() + kPeriod);
  bool alive = true;  // for all that is known
  const bool sampled = troubles_.look("usage", schedule_.now(), [&] { alive = tree_.sample(); });
  if (!alive) look_again_->disarm();
  hands_.looked(alive && sampled);
  if (alive && sampled) watch_memory();
}

void ResourceWatch::watch_memory() {
  if (lifecycle_.state() != State::kRunning) return;
  const UsedMemory used = tree_.usage().used_memory;
  if (!memory_.exceeded(used.bytes, schedule_.now())) return;
  std::string problem = describe_memory(*limit_bytes_, used, {}, redactor_);
  // The guard says it once: it is told also while the processes cannot be named.
  troubles_.look("memory", schedule_.now(),
                 [&] { problem = describe_memory(*limit_bytes_, used, tree_.members(), redactor_); });
  hands_.over_limit({{EventType::kRestart, Cause::kMemoryLimit}, std::move(problem)});
}

}  // namespace codex
