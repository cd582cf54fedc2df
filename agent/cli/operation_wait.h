#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/cli/control_client.h"
#include "agent/cli/documents.h"
#include "agent/os/clock.h"

namespace codex {

struct WaitOptions {
  std::optional<TimePoint> until;     ///< --timeout
  std::function<bool()> interrupted;  ///< Ctrl-C was pressed
  /// The newest news; called on news and at least every 100 ms.
  std::function<void(const OperationDocument&)> show;
  /// The agent holds a poll back for 20 s; silence for longer is no answer.
  Duration poll_deadline = ControlClient::kLongPollDeadline;
};

struct WaitResult {
  enum class End {
    kDone,
    kInterrupted,
    kTimeLimit,
    kHandedOver,  ///< another agent takes over, and is to be asked the same
    kAgentGone,   ///< nobody listens on the socket any more
    kNoAnswer,    ///< the agent is there but silent
    kBadAnswer,   ///< answers, but not as agreed
  };
  End end = End::kDone;
  OperationDocument operation;  ///< the last one seen
  std::string document;         ///< its JSON as the agent sent it
  std::string error;            ///< kBadAnswer: what the agent said, if it did
};

/// Follows an operation by long polls until it is done or the wait ends for another reason. The operation
/// itself goes on in the agent in every case.
WaitResult wait_for_operation(const ControlClient& client, std::uint64_t operation,
                              const WaitOptions& options);

}  // namespace codex
