#pragma once

#include <array>
#include <string>
#include <vector>

#include "exporters/recent.h"

namespace codex {

/// The patterns that timeline_html() fills its times with, once a page: each state has its own, so that
/// nobody needs to see colours.
std::string timeline_patterns();

/// How much of the past is shown.
struct TimeScale {
  double seconds;
  const char* name;                  ///< "last hour"
  std::array<const char*, 4> marks;  ///< of the axis, from the left
};

/// The last hour, or the last ten minutes while nothing older is known.
const TimeScale& scale_of(const std::vector<RecentState>& states);

/// The states as a band of times (SVG), its axis, and a legend that says how long each lasted in all.
std::string timeline_html(const std::vector<RecentState>& states, const TimeScale& scale);

}  // namespace codex
