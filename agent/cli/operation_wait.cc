#include "agent/cli/operation_wait.h"

#include "agent/cli/command_context.h"

namespace codex {
namespace {

// A front that is full closes its oldest connection; that alone is no reason to give up.
constexpr int kBrokenAnswersAllowed = 3;

std::string poll_path(std::uint64_t operation, std::uint64_t seen) {
  return "/v1/operations/" + std::to_string(operation) + "?seen=" + std::to_string(seen);
}

}  // namespace

WaitResult wait_for_operation(const ControlClient& client, std::uint64_t operation,
                              const WaitOptions& options) {
  using Trouble = ControlClient::Trouble;
  using End = WaitResult::End;
  WaitResult result;
  int broken = 0;
  bool has_news = false;
  const auto expired = [&] { return options.until && Clock::now() >= *options.until; };
  const auto tick = [&] {
    if (has_news && options.show) options.show(result.operation);
    return !expired() && !(options.interrupted && options.interrupted());
  };
  const auto finish = [&](End end) {
    result.end = end;
    return result;
  };
  for (;;) {
    const auto reply =
        client.get(poll_path(operation, result.operation.revision), options.poll_deadline, tick);
    switch (reply.trouble) {
      case Trouble::kCancelled:
        return finish(expired() ? End::kTimeLimit : End::kInterrupted);
      case Trouble::kNoAgent:
      case Trouble::kDenied:
        return finish(End::kAgentGone);
      case Trouble::kNoAnswer:
        return finish(End::kNoAnswer);
      case Trouble::kBroken:
        if (++broken >= kBrokenAnswersAllowed) return finish(End::kBadAnswer);
        continue;
      case Trouble::kNone:
        break;
    }
    auto news = reply.status == 200 ? parse_operation(reply.body) : std::nullopt;
    if (!news) {
      result.error = describe_refusal(reply);
      return finish(End::kBadAnswer);
    }
    broken = 0;
    has_news = true;
    result.operation = std::move(*news);
    result.document = reply.body;
    if (result.operation.done) return finish(End::kDone);
    if (result.operation.handed_over) return finish(End::kHandedOver);
    if (!tick()) return finish(expired() ? End::kTimeLimit : End::kInterrupted);
  }
}

}  // namespace codex
