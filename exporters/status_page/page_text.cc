#include "exporters/status_page/page_text.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <iomanip>
#include <sstream>
#include <utility>

#include "agent/text/display_text.h"
#include "agent/text/quantity.h"
#include "agent/text/rfc3339.h"

namespace codex {

namespace {

constexpr std::size_t kMostShown = 512;

std::string local_time(const char* format, WallTime at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::ostringstream text;
  text << std::put_time(&parts, format);
  return text.str();
}

}  // namespace

std::string html(std::string_view text) {
  std::string escaped;
  for (const char c : escape_for_display(text, kMostShown)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string span_text(double seconds) {
  constexpr std::pair<long long, const char*> kUnits[] = {
      {86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}};
  auto left = seconds > 0 ? std::llround(std::min(seconds, 1e12)) : 0;
  std::string text;
  int shown = 0;
  for (const auto& [size, name] : kUnits) {
    const long long count = left / size;
    left %= size;
    if ((count == 0 && !(size == 1 && shown == 0)) || shown == 2) continue;
    text += (shown++ == 0 ? "" : " ") + std::to_string(count) + name;
  }
  return text;
}

std::string moment_text(double seconds) {
  if (seconds < 0.05) return "under 0.1 s";
  return seconds < 10 ? decimal_text(seconds, 1) + " s" : span_text(seconds);
}

std::string memory_text(double bytes) {
  const double mebibytes = bytes / (1 << 20);
  return decimal_text(mebibytes, mebibytes < 10 ? 1 : 0) + " MiB";
}

std::string cpu_text(double ratio) {
  return decimal_text(ratio * 100, 1) + " %";
}

std::string time_html(WallTime at, WallTime now) {
  const bool lately = now - at < std::chrono::hours(12);
  return "<time datetime=\"" + format_rfc3339(at) + "\" title=\"" +
         html(local_time("%Y-%m-%d %H:%M:%S %Z", at)) + "\">" +
         html(local_time(lately ? "%H:%M:%S" : "%b %d, %H:%M", at)) + "</time>";
}

std::string zone_text(WallTime at) {
  return local_time("%Z", at);
}

std::string_view mood_of_state(std::string_view state) {
  if (state == "running") return "good";
  if (state == "starting" || state == "stopping" || state == "stopped") return "calm";
  if (state == "degraded" || state == "backoff") return "wait";
  return "bad";
}

int badness_of_state(std::string_view state) {
  constexpr std::string_view kMoods[] = {"good", "calm", "wait", "bad"};
  return static_cast<int>(std::find(std::begin(kMoods), std::end(kMoods), mood_of_state(state)) -
                          std::begin(kMoods));
}

std::string_view sign_of_state(std::string_view state) {
  const std::string_view mood = mood_of_state(state);
  if (mood == "good") return "&#10003;";                                  // check mark
  if (mood == "wait") return "&#9650;&#xFE0E;";                           // triangle
  if (mood == "calm") return state == "stopped" ? "&#9632;" : "&#8943;";  // square; dots
  return "&#10007;";                                                      // cross
}

}  // namespace codex
