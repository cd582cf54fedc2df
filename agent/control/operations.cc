#include "agent/control/operations.h"

#include <algorithm>
#include <utility>

namespace codex {

namespace {

using std::chrono::seconds;

constexpr std::size_t kRemembered = 100;
constexpr Duration kRetell = std::chrono::milliseconds(100);

/// Longest a command may take: a crash loop runs into its start limit, an unkillable process has been
/// reported by then.
Duration patience(Command command, const LifecycleConfig& config) {
  const Duration stop = config.stop_timeout + seconds(10);
  if (command == Command::kStop || command == Command::kShutdown) return stop;
  return stop + config.start_timeout + config.restart.start_limit_interval +
         config.restart.max_delay * config.restart.start_limit;
}

struct Verdict {
  bool done = false;
  int code = kCommandOk;
  std::string message;
};

Verdict judge_stop(const OperationTarget& backend) {
  if (backend.state() == State::kStopped) return {true, kCommandOk, "stopped"};
  if (backend.desired_running()) return {true, kCommandFailed, "a later start won: " + backend.summary()};
  return {};
}

Verdict judge_start(const OperationTarget& backend) {
  switch (backend.state()) {
    case State::kRunning:
      return {true, kCommandOk, backend.summary()};
    case State::kFailed:
      return {true, backend.cause() == Cause::kPortTaken ? kCommandRefused : kCommandFailed,
              backend.summary()};
    case State::kStopped:
      if (backend.cause() == Cause::kStopCommand) return {true, kCommandFailed, "a later stop won"};
      return {true, kCommandFailed, "it ended by itself before it was ready; see codex-agent logs"};
    case State::kStopping:
      if (backend.cause() == Cause::kStopCommand) return {true, kCommandFailed, "a later stop won"};
      return {};
    case State::kStarting:
    case State::kBackoff:
      return {};
  }
  return {};
}

}  // namespace

std::string_view to_string(Command command) {
  switch (command) {
    case Command::kStart:
      return "start";
    case Command::kStop:
      return "stop";
    case Command::kRestart:
      return "restart";
    case Command::kShutdown:
      return "shutdown";
  }
  return "";
}

bool Operation::done() const {
  return std::all_of(results.begin(), results.end(),
                     [](const OperationResult& result) { return result.done; });
}

Operations::Operations(std::function<TimePoint()> now) : now_(std::move(now)) {}

const Operation& Operations::begin(Command command, const std::vector<OperationTarget*>& backends) {
  while (operations_.size() >= kRemembered && operations_.front().done()) operations_.pop_front();
  Operation& operation = operations_.emplace_back();
  operation.id = ++last_id_;
  operation.command = command;
  operation.deadline = now_();
  for (OperationTarget* backend : backends) {
    operation.deadline = std::max(operation.deadline, now_() + patience(command, backend->limits()));
  }
  for (OperationTarget* backend : backends) {
    const bool was_running = backend->state() == State::kRunning;
    switch (command) {
      case Command::kStart:
        backend->start();
        break;
      case Command::kRestart:
        backend->restart();
        break;
      case Command::kStop:
      case Command::kShutdown:
        backend->stop();
        break;
    }
    OperationResult result{backend, false, kCommandOk, {}, {}};
    if (command == Command::kStart && was_running) {
      result = {backend, true, kCommandOk, "already " + backend->summary(), {}};
    }
    operation.results.push_back(std::move(result));
  }
  follow();
  return operation;
}

bool Operations::follow() {
  bool news = false;
  for (auto& operation : operations_) {
    if (operation.done() || operation.handed_over) continue;
    std::string story;
    for (auto& result : operation.results) {
      if (!result.done) settle(operation, result);
      story += result.backend->progress() + (result.done ? "." : ";");
    }
    news = true;
    // A client that waits shows every phase, and a clock that moves, but not more often than an eye can
    // follow.
    if (story == operation.story && now_() - operation.told < kRetell) continue;
    operation.story = std::move(story);
    operation.told = now_();
    ++operation.revision;
    ++revisions_;
  }
  return news;
}

void Operations::hand_over() {
  for (auto& operation : operations_) {
    if (operation.done()) continue;
    operation.handed_over = true;
    ++operation.revision;
    ++revisions_;
  }
}

void Operations::settle(const Operation& operation, OperationResult& result) {
  const bool stop = operation.command == Command::kStop || operation.command == Command::kShutdown;
  Verdict verdict = stop ? judge_stop(*result.backend) : judge_start(*result.backend);
  if (!verdict.done && now_() >= operation.deadline) {
    verdict = {true, kCommandFailed,
               "not " + std::string(stop ? "stopped" : "running") + " in time: " + result.backend->summary()};
  } else if (verdict.done && !result.backend->saved()) {
    return;  // What was answered must hold even if we are killed the next moment.
  }
  result.done = verdict.done;
  result.code = verdict.code;
  result.message = verdict.message;
  const bool failed = !stop && result.code != kCommandOk && result.backend->cause() != Cause::kStopCommand;
  if (failed && result.done) result.output = result.backend->last_output();
}

const Operation* Operations::find(std::uint64_t id) const {
  const auto found =
      std::find_if(operations_.begin(), operations_.end(), [id](const Operation& op) { return op.id == id; });
  return found == operations_.end() ? nullptr : &*found;
}

}  // namespace codex
