#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "probes/hang/hang_observation.h"

namespace codex {

/// One observation as one line of text, and back: recordings of real programs that tests replay.
///
///   at=50123456 main=S,epoll,281,13,do_epoll_wait,1234,56,7 accept_queue=0 accept_probe=idle,0
///   http=1,0,-,200
///
/// Times are nanoseconds. A part that is absent was not looked at.
std::string write_observation(const HangObservation& seen);

/// nullopt if the line is malformed in any way.
std::optional<HangObservation> read_observation(std::string_view line);

}  // namespace codex
