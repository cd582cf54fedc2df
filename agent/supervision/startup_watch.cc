#include "agent/supervision/startup_watch.h"

#include <algorithm>
#include <utility>

#include "agent/supervision/describe.h"

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kResumeTakes = seconds(1);

/// How often a starting backend's port is looked at: a look costs some 20 us, and a fast start should not
/// wait.
Duration listen_period(Duration waited) {
  if (waited < seconds(2)) return milliseconds(5);
  if (waited < seconds(10)) return milliseconds(20);
  return milliseconds(100);
}

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

StartupWatch::StartupWatch(const BackendConfig& config, const std::vector<ProbeTracker>& probes,
                           Schedule& schedule, BackendTree& tree, Events events)
    : config_(config),
      probes_(probes),
      schedule_(schedule),
      tree_(tree),
      events_(std::move(events)),
      listen_(schedule.alarm("listen", [this] { follow(); })) {}

void StartupWatch::begin(bool resumed) {
  begun_at_ = schedule_.now();
  startup_.emplace(begun_at_, needed_phases(config_));
  under_way_ = true;
  resumed_ = resumed;
  if (tree_.port() != nullptr) listen_->arm_at(begun_at_ + listen_period(Duration{0}));
}

void StartupWatch::executed() {
  if (startup_) startup_->set(StartupPhase::kSpawn, true, schedule_.now());
  follow();
}

void StartupWatch::follow() {
  if (!under_way_) return;
  const TimePoint now = schedule_.now();
  if (tree_.port() != nullptr && startup_->waiting_for() <= StartupPhase::kListen) {
    listen_->arm_at(now + listen_period(now - begun_at_));
    const bool asked = tree_.look_at_port();
    // What was ready before is soon judged as running also while its port cannot be asked.
    if (!asked && resumed_ && now - begun_at_ >= kResumeTakes) {
      events_.ready();
      return events_.followed();
    }
    if (!asked) return;
    const bool ours = tree_.port()->ours;
    startup_->set(StartupPhase::kListen, ours, now);
    if (ours) listen_->disarm();
    if (ours) events_.listens();
  }
  if (resumed_ && !listen_->armed()) listen_->arm_at(begun_at_ + kResumeTakes);
  if (tree_.port() == nullptr || tree_.port()->ours) events_.reachable();

  bool database = true, respond = true;
  for (const auto& probe : probes_) {
    (probe.spec().kind == ProbeKind::kDatabase ? database : respond) &= probe.succeeding();
  }
  startup_->set(StartupPhase::kDatabase, database, now);
  startup_->set(StartupPhase::kRespond, respond, now);
  if (startup_->complete() || (resumed_ && resumed_is_known())) events_.ready();
  events_.followed();
}

/// As soon as each probe has made up its mind, which gives a good backend its usual facts at once, and soon in
/// any case.
bool StartupWatch::resumed_is_known() const {
  return schedule_.now() - begun_at_ >= kResumeTakes ||
         std::all_of(probes_.begin(), probes_.end(),
                     [](const ProbeTracker& probe) { return probe.succeeding() || probe.failing(); });
}

void StartupWatch::end() {
  under_way_ = false;
  listen_->disarm();
}

void StartupWatch::forget() {
  end();
  startup_.reset();
}

std::optional<StartupPhase> StartupWatch::waiting_for() const {
  return startup_ ? startup_->waiting_for() : std::nullopt;
}

std::vector<std::pair<std::string, double>> StartupWatch::phases() const {
  std::vector<std::pair<std::string, double>> phases;
  if (!startup_) return phases;
  for (const auto& [phase, took] : startup_->phases())
    phases.emplace_back(to_string(phase), to_seconds(took));
  return phases;
}

std::string StartupWatch::describe_timeout(const std::string& hang) const {
  const auto phase = waiting_for();
  const std::string absence = phase == StartupPhase::kListen ? tree_.describe_absence() : "";
  return describe_start_timeout(config_, phase, probes_, absence, hang);
}

void StartupWatch::fill(StartupSnapshot& snapshot) const {
  if (!startup_) return;
  if (const auto phase = startup_->waiting_for()) snapshot.waiting_for = std::string(to_string(*phase));
  snapshot.progress = phases();
}

}  // namespace codex
