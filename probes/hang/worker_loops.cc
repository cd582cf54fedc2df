#include "probes/hang/worker_loops.h"

#include <algorithm>

namespace codex {

namespace {

using State = HangVerdict::State;

/// What one worker's loop is judged by: its own share of what was seen.
HangObservation share_of(const WorkerView& worker, const HangObservation& seen, bool has_work) {
  HangObservation share;
  share.at = seen.at;
  share.accept_queue = seen.accept_queue;
  share.accept_probe = seen.accept_probe;
  share.shared_listener = true;
  share.has_work = has_work;
  share.main = worker.main;
  share.process = worker.process;
  share.requests = worker.requests;
  share.http = seen.http;
  return share;
}

/// As sure as a finding may be that has lasted for less than `least`.
HangFinding tempered(HangFinding finding, Duration least) {
  const bool certain = finding.hang == HangClass::kStopped;
  // Of a thread that runs, the clock shows the CPU time that it got.
  if (finding.hang == HangClass::kSpin || finding.hang == HangClass::kGc) least = least * 3 / 5;
  if (finding.state == State::kConfirmed && finding.clock < least && !certain)
    finding.state = State::kSuspect;
  return finding;
}

}  // namespace

void WorkerLoops::observe(const HangObservation& seen, Duration elapsed) {
  for (auto& [id, worker] : workers_) worker.seen = false;
  for (const auto& view : seen.workers) {
    auto& worker = workers_[view.id];
    worker.seen = true;
    if (view.requests) worker.has_work = view.requests->server.waiting > 0;
    worker.loop.observe(share_of(view, seen, worker.has_work), elapsed);
    auto finding = tempered(worker.loop.finding(), kTold);
    worker.course.observe(seen.at, elapsed, {std::move(finding)});
  }
  std::erase_if(workers_, [](const auto& entry) { return !entry.second.seen; });
}

void WorkerLoops::start_anew() {
  for (auto& [id, worker] : workers_) {
    worker.loop.reset(true);
    worker.course.forget();
    worker.has_work = false;
  }
}

HangFinding WorkerLoops::finding() const {
  HangFinding all;
  std::map<HangClass, int> classes;
  for (const auto& [id, worker] : workers_) {
    const auto one = worker.loop.finding();
    if (one.state == State::kHealthy || !one.hang) return {};
    const bool first = classes.empty();
    const bool surer = ++classes[*one.hang] > classes[all.hang.value_or(*one.hang)];
    if (first || surer) all.hang = one.hang;
    if (first || all.hang == one.hang) all.why = one.why;
    all.state = first ? one.state : std::min(all.state, one.state);
    all.since = first ? one.since : std::max(all.since, one.since);
    all.clock = first ? one.clock : std::min(all.clock, one.clock);
  }
  if (workers_.empty()) return all;
  all.why = "all " + std::to_string(workers_.size()) + " workers: " + all.why;
  return tempered(std::move(all), kAllStuck);
}

std::vector<StuckWorker> WorkerLoops::stuck() const {
  std::vector<StuckWorker> stuck;
  for (const auto& [id, worker] : workers_) {
    const auto& verdict = worker.course.verdict();
    if (verdict.state == State::kConfirmed)
      stuck.push_back({id, *verdict.hang, verdict.why, *verdict.since, verdict.clock});
  }
  std::stable_sort(stuck.begin(), stuck.end(),
                   [](const auto& a, const auto& b) { return a.clock > b.clock; });
  return stuck;
}

bool WorkerLoops::somebody_in_doubt() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const auto& w) { return w.second.loop.in_doubt(); });
}

bool WorkerLoops::all_in_doubt() const {
  return !workers_.empty() && std::all_of(workers_.begin(), workers_.end(),
                                          [](const auto& w) { return w.second.loop.in_doubt(); });
}

bool WorkerLoops::are_known() const {
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& w) { return w.second.loop.is_known(); });
}

Duration WorkerLoops::longest_clock() const {
  Duration longest{0};
  for (const auto& [id, worker] : workers_) longest = std::max(longest, worker.loop.clock());
  return longest;
}

}  // namespace codex
