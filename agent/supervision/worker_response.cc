#include "agent/supervision/worker_response.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/evidence/incident_store.h"
#include "agent/record/log_line.h"
#include "agent/text/quantity.h"

namespace codex {

namespace {

constexpr std::size_t kShownWhy = 256;

bool has(const std::vector<ProcessId>& ids, const ProcessId& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

WorkerResponse::WorkerResponse(const BackendConfig& config, const Schedule& schedule, BackendRecord& record,
                               Logger& log, const Redactor& redactor, Hands hands)
    : config_(config),
      schedule_(schedule),
      record_(record),
      log_(log),
      redactor_(redactor),
      hands_(std::move(hands)),
      patience_(true, config.hang_rules),
      replaces_(config.hang_worker.replaced) {}

void WorkerResponse::follow(const std::vector<ProcessId>& serving, const std::vector<StuckWorker>& stuck,
                            bool all) {
  note_replacements(serving);
  std::map<ProcessId, Told> before = std::exchange(told_, {});
  bool changed = false;
  std::vector<StuckWorker> news;
  for (const auto& worker : stuck) {
    if (all) break;
    const auto known = before.find(worker.id);
    if (known == before.end()) {
      news.push_back(worker);
      continue;
    }
    Told told = std::move(known->second);
    before.erase(known);
    told.worker = worker;
    told_.emplace(worker.id, std::move(told));
  }
  for (const auto& [id, told] : before) {
    changed = true;
    log_.info(LogLine("worker_hang_over")
                  .kv("backend", config_.name)
                  .kv("pid", id.pid)
                  .kv("class", to_string(told.worker.hang))
                  .kv("ended", has(serving, id) ? "it goes on" : "the process has ended")
                  .str());
  }
  for (const auto& worker : news) tell(worker);
  for (auto& [id, told] : told_) act(told);
  look_for_the_replacement();
  if (changed || !news.empty()) hands_.changed();
}

void WorkerResponse::tell(const StuckWorker& worker) {
  Told& told = told_[worker.id];
  told.worker = worker;
  told.worker.why = redactor_.safe(worker.why, kShownWhy);
  told.since = schedule_.wall_in(-worker.clock);
  record_.worker_hang(to_string(worker.hang));
  log_.warning(LogLine("worker_hang_confirmed")
                   .kv("backend", config_.name)
                   .kv("pid", worker.id.pid)
                   .kv("class", to_string(worker.hang))
                   .kv("why", told.worker.why)
                   .kv("for_seconds", to_seconds(worker.clock))
                   .str());
  EvidenceRequest request;
  request.id = incident_id(schedule_.wall_now(), config_.name);
  request.hang_class = to_string(worker.hang);
  request.why = worker.why;
  request.votes.emplace_back(request.hang_class, 1);
  request.since = told.since;
  request.server = worker.id;
  request.next =
      config_.hang_worker.action == HangWorkerAction::kKill
          ? "its end, when it has lasted " + in_words(patience_.patience(worker.hang, schedule_.now()))
          : "nothing: hang.worker.action is \"report\"";
  hands_.capture(std::move(request), [this, id = worker.id](const auto& answer) { captured(id, answer); });
}

void WorkerResponse::captured(const ProcessId& id, const std::optional<EvidenceRecorder::Answer>& answer) {
  const auto told = told_.find(id);
  if (!answer || told == told_.end()) return;
  told->second.where = answer->where;
  told->second.evidence = answer->id;
  hands_.changed();
}

/// One went, others stayed, and soon there is a new one: that is what a master does that replaces its workers.
void WorkerResponse::note_replacements(const std::vector<ProcessId>& serving) {
  if (serving == serving_) return;
  const TimePoint now = schedule_.now();
  const auto before = std::exchange(serving_, serving);
  const auto gone = [&](const ProcessId& id) { return !has(serving, id); };
  const auto stays = [&](const ProcessId& id) { return has(serving, id); };
  const bool some_stay = std::any_of(before.begin(), before.end(), stays);
  const bool is_new =
      std::any_of(serving.begin(), serving.end(), [&](const ProcessId& id) { return !has(before, id); });
  if (!some_stay) {
    one_left_.reset();
    return;
  }
  if (std::any_of(before.begin(), before.end(), gone)) one_left_ = now;
  if (!is_new || !one_left_ || now - *one_left_ > kReplacedWithin) return;
  replaces_ = true;
  one_left_.reset();
}

void WorkerResponse::act(Told& told) {
  if (config_.hang_worker.action != HangWorkerAction::kKill) return;
  const TimePoint now = schedule_.now();
  const auto line = [&](const char* what) {
    return LogLine(what)
        .kv("backend", config_.name)
        .kv("pid", told.worker.id.pid)
        .kv("class", to_string(told.worker.hang));
  };
  HangVerdict verdict;
  verdict.hang = told.worker.hang;
  const auto plan = patience_.plan(verdict, now);
  if (plan.action == HangAction::kReport) return;  // What it waits for would not come back.
  if (!told.terminated && told.worker.clock >= plan.patience) {
    if (!replaces_) {
      if (!std::exchange(told.unable_said, true))
        log_.warning(line("worker_left_alone")
                         .kv("why",
                             "its master was not seen to replace a worker yet; if it does, say "
                             "hang.worker.replaced = true")
                         .str());
      return;
    }
    told.terminated = now;
    to_be_replaced_since_ = now;
    wanted_ = serving_.size();
    log_.warning(line("worker_terminated").str());
    hands_.signal(told.worker.id, SIGTERM);
  } else if (told.terminated && !told.killed && now - *told.terminated >= kGrace) {
    told.killed = now;
    log_.warning(line("worker_killed").str());
    hands_.signal(told.worker.id, SIGKILL);
  }
}

void WorkerResponse::look_for_the_replacement() {
  if (!to_be_replaced_since_) return;
  const bool still_there = std::any_of(told_.begin(), told_.end(),
                                       [](const auto& entry) { return entry.second.terminated.has_value(); });
  if (!still_there && serving_.size() >= wanted_) {
    to_be_replaced_since_.reset();
    return;
  }
  if (schedule_.now() - *to_be_replaced_since_ < kReplacedWithin + kGrace) return;
  to_be_replaced_since_.reset();
  hands_.restart({{EventType::kRestart, Cause::kHang},
                  "A worker that hung was ended, and none has taken its place within " +
                      in_words(kReplacedWithin) + "."});
}

void WorkerResponse::stop() {
  told_.clear();
  serving_.clear();
  one_left_.reset();
  to_be_replaced_since_.reset();
  replaces_ = config_.hang_worker.replaced;
}

std::string WorkerResponse::sentence() const {
  if (told_.empty()) return "";
  std::string text = std::to_string(told_.size()) + " of " + std::to_string(serving_.size()) + " workers: ";
  std::string separator;
  for (const auto& [id, told] : told_) {
    text += std::exchange(separator, "; ") + std::string(to_string(told.worker.hang));
    if (!told.where.empty()) text += " in " + told.where;
    text += ", pid " + std::to_string(id.pid);
  }
  return text;
}

std::string WorkerResponse::detail() const {
  return told_.empty() ? "" : told_.begin()->second.worker.why;
}

void WorkerResponse::fill(BackendSnapshot& snapshot) const {
  snapshot.workers.serving = static_cast<int>(serving_.size());
  const WallTime now = schedule_.wall_now();
  for (const auto& [id, told] : told_) {
    HungWorkerSnapshot hung;
    hung.pid = id.pid;
    hung.hang_class = to_string(told.worker.hang);
    hung.detail = told.worker.why;
    hung.where = told.where;
    hung.evidence = told.evidence;
    hung.since = told.since;
    hung.lasted_seconds = std::max(0.0, std::chrono::duration<double>(now - told.since).count());
    snapshot.workers.hung.push_back(std::move(hung));
  }
}

}  // namespace codex
