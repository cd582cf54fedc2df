#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/control/operation_target.h"
#include "agent/os/clock.h"

namespace codex {

enum class Command { kStart, kStop, kRestart, kShutdown };
std::string_view to_string(Command command);

/// Exit codes that commands end with.
inline constexpr int kCommandOk = 0;
inline constexpr int kCommandFailed = 1;
inline constexpr int kCommandRefused = 7;

/// What became of one command for one backend.
struct OperationResult {
  OperationTarget* backend = nullptr;
  bool done = false;
  int code = kCommandOk;
  std::string message;
  std::vector<std::string> output;  ///< of a start that failed: what the backend wrote last
};

/// One accepted command. Gets exactly one final answer, at the latest at its deadline or, with an end that has
/// come by then, once that is saved.
struct Operation {
  std::uint64_t id = 0;
  Command command = Command::kStart;
  std::uint64_t revision = 1;  ///< grows with every change that a waiting client should see
  std::vector<OperationResult> results;
  TimePoint deadline{};
  std::string story;         ///< what a client was told last, in short
  TimePoint told{};          ///< when
  bool handed_over = false;  ///< it gets its answer from the next agent, who has to be asked anew
  [[nodiscard]] bool done() const;
};

/// The commands under way and the last hundred that ended. Loop thread.
class Operations {
 public:
  /// `now`: the time by which deadlines are kept; it never goes back.
  explicit Operations(std::function<TimePoint()> now);

  /// Carries `command` out on `backends`, which outlive this, and follows it to its end.
  const Operation& begin(Command command, const std::vector<OperationTarget*>& backends);

  /// A backend changed, or a second has passed: look whether anything has ended. True while something is
  /// under way.
  bool follow();

  /// This agent ends and leaves everything to the next one: what is not done never will be here.
  void hand_over();

  /// Grows whenever the revision of any operation does.
  [[nodiscard]] std::uint64_t revisions() const { return revisions_; }

  [[nodiscard]] const Operation* find(std::uint64_t id) const;

 private:
  void settle(const Operation& operation, OperationResult& result);

  std::function<TimePoint()> now_;
  std::uint64_t last_id_ = 0, revisions_ = 0;
  std::deque<Operation> operations_;
};

}  // namespace codex
