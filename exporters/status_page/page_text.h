#pragma once

#include <string>
#include <string_view>

#include "agent/os/clock.h"

/// Words of the status page. Whatever was not written by us goes through html(). Any thread.

namespace codex {

/// Text of any origin inside an element or a quoted attribute, cut at 512 bytes.
std::string html(std::string_view text);

std::string span_text(double seconds);  ///< "2 h 13 min", "4 s": the two largest units
std::string moment_text(
    double seconds);  ///< "0.8 s", from ten seconds on as span_text(); not below "under 0.1 s"
std::string memory_text(double bytes);  ///< "112 MiB"
std::string cpu_text(double ratio);     ///< "1.2 %" of one core

/// A <time> element in the host's zone: "12:03:04", with the date if it was more than half a day ago.
std::string time_html(WallTime at, WallTime now);
std::string zone_text(WallTime at);  ///< "CET"

/// "good", "calm", "wait" or "bad": what a state means to a person. Class of the colours.
std::string_view mood_of_state(std::string_view state);
int badness_of_state(std::string_view state);  ///< 0 to 3, in the order above

/// A sign of the state for those who do not see colours; HTML.
std::string_view sign_of_state(std::string_view state);

}  // namespace codex
