#include "agent/cli/event_text.h"

#include "agent/cli/text_format.h"

namespace codex {

std::string render_event(const EventDocument& event) {
  std::string change = event.event;
  if (!event.from.empty() && !event.to.empty() && event.from != event.to)
    change = event.from + " -> " + event.to;
  std::string line = format_local_time(event.at);
  for (const std::string& part : {event.backend, change, event.reason, event.detail})
    if (!part.empty()) line += "  " + part;
  return line + "\n";
}

}  // namespace codex
