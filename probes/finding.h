#pragma once

#include <optional>
#include <string>

#include "probes/probe.h"

namespace codex {

/// What stands in the way of an answer.
struct Finding {
  Outcome outcome = Outcome::kUnknown;
  Reason reason = Reason::kInternal;
  std::string text;  ///< one line, raw where it quotes a peer
};

/// Judges an errno of socket(2), connect(2), send(2) or recv(2). A shortage of our own (descriptors, memory,
/// local ports) is `unknown`: it says nothing about the peer.
Finding judge_errno(int error);

/// Whether no descriptor is to be had at this moment: what a library has just failed at, without a word why,
/// is then our own trouble.
std::optional<Finding> own_shortage();

}  // namespace codex
