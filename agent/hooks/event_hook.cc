#include "agent/hooks/event_hook.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/record/log_line.h"

namespace codex {

namespace {

/// From the last SIGKILL on: so long may a process take to be gone.
constexpr Duration kDying = std::chrono::milliseconds(200);

constexpr Duration kRetry = std::chrono::milliseconds(100);

}  // namespace

EventHook::EventHook(EventLoop& loop, EventHookConfig config, const TreeIdentity& commands,
                     const Redactor& redactor, Logger& log, std::function<void()> changed,
                     std::optional<rlimit> open_files)
    : loop_(loop),
      config_(std::move(config)),
      commands_(commands),
      redactor_(redactor),
      log_(log),
      changed_(std::move(changed)),
      open_files_(open_files),
      timer_(loop, "event hook", [this] { step(); }) {
  for (const auto result : kEventHookResults) counts_[std::string(result)] = 0;
}

EventHook::~EventHook() {
  if (current_) lingering_.push_back(std::move(current_));
  for (const auto& run : lingering_) {
    try {
      run->kill(loop_.now());
    } catch (const std::exception&) {  // Without descriptors nobody can be found to be killed.
    }
  }
}

void EventHook::add(const LifecycleEvent& event) {
  if (config_.command.empty()) return;
  if (waiting_.size() >= kMaxWaiting) drop_oldest();
  waiting_.push_back({event.seq, event.backend, event.event, event.to, to_json(event) + "\n"});
  timer_.arm_after(Duration{0});
}

void EventHook::on_reaped(pid_t pid, const ExitStatus& status) {
  if (current_) current_->on_reaped(pid, status);
  for (const auto& run : lingering_) run->on_reaped(pid, status);
  if (current_ || !lingering_.empty()) timer_.arm_after(Duration{0});
}

void EventHook::finish(std::function<void()> done) {
  if (finishing_since_) return;
  done_ = std::move(done);
  finishing_since_ = loop_.now();
  timer_.arm_after(Duration{0});
}

/// The only place where runs begin and end.
void EventHook::step() {
  const TimePoint now = loop_.now();
  if (finishing_since_ && now - *finishing_since_ >= kLastPatience + kDying) return end();
  timer_.arm_after(kRetry);  // First: whatever fails below is tried again.
  if (current_) current_->follow(now);
  if (current_ && current_->result()) {
    lingering_.push_back(std::move(current_));
    settle(*lingering_.back()->result());
  }
  for (std::size_t i = lingering_.size(); i-- > 0;) {
    lingering_[i]->follow(now);
    if (lingering_[i]->gone()) lingering_.erase(lingering_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (finishing_since_) step_end(now);
  if (!current_ && !waiting_.empty() && lingering_.size() < kMaxLingering) start_next();
  if (waiting_.empty()) dropping_ = false;
  arm();
  if (finishing_since_ && idle()) end();
}

void EventHook::end() {
  if (done_) std::exchange(done_, nullptr)();
}

void EventHook::step_end(TimePoint now) {
  const Duration waited = now - *finishing_since_;
  if (waited >= kPatience && !narrowed_) {
    narrowed_ = true;
    if (waiting_.empty()) return;  // What runs is the last one.
    keep_newest_of_each_backend();
    if (current_) current_->kill(now);
    for (const auto& run : lingering_) run->kill(now);
  }
  if (waited < kLastPatience) return;
  while (!waiting_.empty()) drop_oldest();
  if (current_) current_->kill(now);
  for (const auto& run : lingering_) run->kill(now);
}

void EventHook::start_next() {
  const Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  SpawnRequest request;
  request.command = config_.command;
  request.directory = config_.directory;
  request.environment = config_.environment;
  request.environment["CODEX_AGENT_EVENT"] = next.event;
  request.environment["CODEX_AGENT_BACKEND"] = next.backend;
  request.environment["CODEX_AGENT_STATE"] = next.state;
  request.open_files = open_files_;
  request.setting = "on_event";
  current_seq_ = next.seq;
  current_ = std::make_unique<CommandRun>(loop_, redactor_, std::move(request), next.document,
                                          commands_.named(std::to_string(next.seq)), config_.timeout);
}

/// Says what has changed, not what goes on.
void EventHook::settle(const CommandRun::Result& result) {
  const auto word = to_string(result.outcome);
  ++counts_[std::string(word)];
  const bool good = result.outcome == CommandRun::Result::Outcome::kSuccess;
  const std::string outcome = good ? "" : std::string(word) + ": " + result.why;
  if (std::exchange(last_outcome_, outcome) != outcome) {
    LogLine line(good ? "event_hook_recovered" : "event_hook_failed");
    line.kv("on_event", config_.command.front()).kv("seq", current_seq_);
    if (!good) line.kv("result", word).kv("why", result.why);
    if (!good && !result.output.empty()) line.kv("stderr", result.output);
    good ? log_.info(line.str()) : log_.warning(line.str());
  }
  changed_();
}

void EventHook::drop_oldest() {
  if (!std::exchange(dropping_, true)) {
    log_.warning(LogLine("event_hook_drops")
                     .kv("on_event", config_.command.front())
                     .kv("waiting", waiting_.size())
                     .kv("first_seq", waiting_.front().seq)
                     .str());
  }
  waiting_.pop_front();
  ++counts_["dropped"];
  changed_();
}

void EventHook::keep_newest_of_each_backend() {
  std::set<std::string> seen;
  std::deque<Waiting> newest;
  for (; !waiting_.empty(); waiting_.pop_back()) {
    if (seen.insert(waiting_.back().backend).second)
      newest.push_front(std::move(waiting_.back()));
    else
      ++counts_["dropped"];
  }
  waiting_ = std::move(newest);
}

void EventHook::arm() {
  std::optional<TimePoint> next;
  const auto by = [&](TimePoint at) { next = next ? std::min(*next, at) : at; };
  if (current_) by(current_->due());
  if (current_ && current_->result()) by(loop_.now());
  for (const auto& run : lingering_) by(run->due());
  if (!current_ && !waiting_.empty() && lingering_.size() < kMaxLingering) by(loop_.now());
  if (finishing_since_ && done_) {
    const Duration waited = loop_.now() - *finishing_since_;
    by(*finishing_since_ + (waited < kPatience       ? kPatience
                            : waited < kLastPatience ? kLastPatience
                                                     : kLastPatience + kDying));
  }
  next ? timer_.arm_at(*next) : timer_.disarm();
}

}  // namespace codex
