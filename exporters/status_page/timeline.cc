#include "exporters/status_page/timeline.h"

#include <algorithm>
#include <map>

#include "agent/text/quantity.h"
#include "exporters/snapshot.h"
#include "exporters/status_page/page_text.h"

namespace codex {

namespace {

constexpr TimeScale kHour{3600, "last hour", {"1 h ago", "45 min", "30 min", "15 min"}};
constexpr TimeScale kTenMinutes{600, "last 10 minutes", {"10 min ago", "7.5 min", "5 min", "2.5 min"}};
static_assert(kRecentSpan == std::chrono::hours(1));

/// Percent of the width: what is shorter than this is drawn so wide, lest a hang of two seconds be invisible.
constexpr double kNarrowest = 0.4;
/// What nobody could have noticed is not drawn so wide, unless it was bad or is what is now.
constexpr double kUnnoticed = 0.05;
/// From this share on there is room for the state's name.
constexpr double kRoomForName = 15;

struct Pattern {
  std::string_view state;
  const char* strokes;  ///< a path on a square of 8
};

constexpr Pattern kPatterns[] = {
    {"stopped", "M4 4h.01"},
    {"starting", "M-2 2l4-4M0 8l8-8M6 10l4-4"},
    {"running", ""},
    {"degraded", "M0 8l8-8M-2 2l4-4M6 10l4-4M4 4h.01"},
    {"hung", "M0 0l8 8M0 8l8-8"},
    {"stopping", "M0 0l8 8M-2 6l4 4M6-2l4 4"},
    {"backoff", "M4 0v8"},
    {"failed", "M0 4h8"},
};

/// The states are a closed set, but what is not known must not become a reference of its own.
std::string_view known(std::string_view state) {
  const auto* const found = std::find(std::begin(kStates), std::end(kStates), state);
  return found == std::end(kStates) ? "stopped" : *found;
}

std::string percent(double value) {
  return decimal_text(value, 2) + "%";
}

std::string filled(std::string_view state) {
  return " fill=\"url(#state-" + std::string(known(state)) + ")\"";
}

double seconds_of(const RecentState& state) {
  return state.begin_seconds_ago - state.end_seconds_ago;
}

bool drawn(const RecentState& state) {
  return seconds_of(state) >= kUnnoticed || state.end_seconds_ago == 0 || badness_of_state(state.state) > 1;
}

/// What is short is drawn wider than it is, so it comes above what is long, and the worst above all.
std::vector<RecentState> in_order_of_drawing(std::vector<RecentState> states, const TimeScale& scale) {
  const auto height = [&](const RecentState& state) {
    const bool brief = seconds_of(state) < scale.seconds * kNarrowest / 100;
    return brief ? 1 + badness_of_state(state.state) : 0;
  };
  std::stable_sort(states.begin(), states.end(), [&](const RecentState& one, const RecentState& other) {
    return height(one) < height(other);
  });
  return states;
}

std::string title_of(const RecentState& state) {
  std::string title = html(state.state) + " for " + moment_text(seconds_of(state));
  if (state.end_seconds_ago > 0) title += ", until " + span_text(state.end_seconds_ago) + " ago";
  if (!state.reason.empty()) title += " (" + html(state.reason) + ")";
  return title;
}

std::string piece(const RecentState& state, const TimeScale& scale) {
  double begin = 100 - state.begin_seconds_ago / scale.seconds * 100;
  const double share = seconds_of(state) / scale.seconds * 100;
  const double width = std::max(share, kNarrowest);
  begin = std::min(begin, 100 - width);
  std::string svg = "<g><title>" + title_of(state) + "</title><rect x=\"" + percent(begin) + "\" width=\"" +
                    percent(width) + "\" height=\"100%\"" + filled(state.state) + "/>";
  if (share >= kRoomForName)
    svg += "<text x=\"" + percent(begin + 1) + "\" y=\"50%\">" + html(state.state) + "</text>";
  return svg + "</g>";
}

std::string legend_entry(const std::string& fill, const std::string& name, double seconds) {
  return "<li><svg aria-hidden=true><rect width=\"100%\" height=\"100%\"" + fill + "/></svg>" + name +
         " <b>" + moment_text(seconds) + "</b>";
}

std::string legend(const std::vector<RecentState>& states, const TimeScale& scale) {
  std::map<std::string, double, std::less<>> seconds;
  double unknown = scale.seconds;
  for (const RecentState& state : states) {
    unknown -= seconds_of(state);
    if (drawn(state)) seconds[state.state] += seconds_of(state);
  }
  std::string list = "<ul class=legend>";
  for (const std::string_view state : kStates) {
    const auto found = seconds.find(state);
    if (found != seconds.end()) list += legend_entry(filled(state), std::string(state), found->second);
  }
  if (unknown >= 1) list += legend_entry(" class=\"unknown\"", "not known", unknown);
  return list + "</ul>\n";
}

}  // namespace

std::string timeline_patterns() {
  std::string svg = "<svg class=patterns aria-hidden=true><defs>\n";
  for (const auto& [state, strokes] : kPatterns) {
    svg += "<pattern id=\"state-" + std::string(state) + "\" class=\"of-" + std::string(state) +
           "\" width=8 height=8 patternUnits=userSpaceOnUse><rect width=8 height=8 /><path d=\"" + strokes +
           "\"/></pattern>\n";
  }
  return svg + "</defs></svg>\n";
}

const TimeScale& scale_of(const std::vector<RecentState>& states) {
  return !states.empty() && states.front().begin_seconds_ago > kTenMinutes.seconds ? kHour : kTenMinutes;
}

std::string timeline_html(const std::vector<RecentState>& states, const TimeScale& scale) {
  std::string band =
      "<svg class=timeline role=img aria-label=\"States of the " + std::string(scale.name) + "\">";
  for (const RecentState& state : in_order_of_drawing(states, scale)) {
    if (drawn(state)) band += piece(state, scale);
  }
  band += "</svg>\n<div class=axis aria-hidden=true>";
  for (const char* const mark : scale.marks) band += "<span>" + std::string(mark) + "</span>";
  return band + "<span>now</span></div>\n" + legend(states, scale);
}

}  // namespace codex
