#include "agent/record/standing_troubles.h"

#include <system_error>

#include "agent/record/log_line.h"

namespace codex {

bool StandingTroubles::look(std::string_view what, TimePoint now, const std::function<void()>& step) {
  try {
    step();  // May come back here.
  } catch (const std::system_error& e) {
    failed(what, now, e.what());
    return false;
  }
  const auto found = failed_.find(what);
  if (found == failed_.end() || now - found->second < kOver) return true;
  failed_.erase(found);
  log_.info(LogLine("look_works_again").kv("backend", backend_).kv("look", what).str());
  return true;
}

void StandingTroubles::failed(std::string_view what, TimePoint now, std::string_view error) {
  if (const auto found = failed_.find(what); found != failed_.end()) {
    found->second = now;
    return;
  }
  failed_.emplace(what, now);
  log_.warning(LogLine("look_fails")
                   .kv("backend", backend_)
                   .kv("look", what)
                   .kv("error", redactor_.safe(error))
                   .kv("next", "it is tried again and again")
                   .str());
}

}  // namespace codex
