#pragma once

#include <string>
#include <vector>

#include "exporters/recent.h"

namespace codex {

/// The patterns that timeline_html() fills its times with, once a page: each state has its own, so that
/// nobody needs to see colours.
std::string timeline_patterns();

/// The last hour as a band of times in each state (SVG), its axis, and a legend that says how long each
/// state lasted in all.
std::string timeline_html(const std::vector<RecentState>& states);

}  // namespace codex
