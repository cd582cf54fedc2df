#include "agent/text/process_text.h"

#include <ctime>

namespace codex {

namespace {

std::string local_moment(WallTime moment) {
  const std::time_t then = std::chrono::system_clock::to_time_t(moment);
  const std::time_t now = std::time(nullptr);
  std::tm a{}, b{};
  ::localtime_r(&then, &a);
  ::localtime_r(&now, &b);
  char text[32];
  const bool today = a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
  return {text, std::strftime(text, sizeof text, today ? "%H:%M" : "%Y-%m-%d %H:%M", &a)};
}

}  // namespace

std::string process_text(const ProcessDescription& process, const Redactor& redactor) {
  return "pid " + std::to_string(process.pid) + " (" + redactor.safe(process.command, 80) + ", user " +
         redactor.safe(process.user, 32) + ", since " + local_moment(process.since) + ")";
}

}  // namespace codex
