#pragma once

#include <string>
#include <string_view>

#include "exporters/recent.h"

namespace codex {

/// The largest known value, 0 without one.
double peak_of(const RecentValues& values);

/// The newest `slots` values as a small curve (SVG) from 0 to `top` (more if a value is above it), which says
/// `label` to those who cannot see it. Where `failures` is set there is a mark at the bottom; it may be
/// empty.
std::string sparkline_html(const RecentValues& values, const RecentValues& failures, std::size_t slots,
                           double top, std::string_view label);

}  // namespace codex
