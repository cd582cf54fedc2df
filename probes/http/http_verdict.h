#pragma once

#include <string>

#include "agent/os/clock.h"
#include "probes/finding.h"
#include "probes/http/http_exchange.h"

namespace codex {

/// What kept an exchange from a complete answer; outcome success if nothing did. The text is raw.
Finding judge_errno(const HttpReply& reply);

/// Where an exchange stood when its time was over: "no answer within 5 s (connected, no byte received)".
std::string unfinished_words(const HttpReply& reply, Duration allowed);

/// "503, 12 bytes"; "200, first 64 KiB of the body".
std::string answer_words(const HttpReply& reply);

}  // namespace codex
