#include "agent/record/event_history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/os/unique_fd.h"
#include "agent/text/rfc3339.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxEvents = 1000;
constexpr off_t kMaxTail = off_t{1} << 20;
constexpr std::uint64_t kMaxSeq = std::uint64_t{1} << 53;  // Above, JavaScript cannot count.

/// The last bytes of a regular file, from the beginning of a line on; "" if it cannot be read.
std::string read_tail(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  const off_t begin = std::max<off_t>(0, info.st_size - kMaxTail);
  std::string text(static_cast<std::size_t>(info.st_size - begin), '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t n =
        ::pread(fd.get(), text.data() + size, text.size() - size, begin + static_cast<off_t>(size));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  if (begin > 0) text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
  return text;
}

std::optional<LifecycleEvent> parse_event(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  bool complete = true;
  const auto text = [&](const char* key) -> std::string {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) {
      complete = false;
      return {};
    }
    return found->get<std::string>();
  };
  LifecycleEvent event;
  const auto seq = json.find("seq");
  const auto at = parse_rfc3339(text("at"));
  if (seq == json.end() || !seq->is_number_unsigned() || !at) return std::nullopt;
  event.seq = seq->get<std::uint64_t>();
  event.at = *at;
  event.backend = text("backend");
  event.event = text("event");
  event.from = text("from");
  event.to = text("to");
  event.reason = text("reason");
  event.detail = text("detail");
  if (!complete || event.seq > kMaxSeq) return std::nullopt;
  return event;
}

}  // namespace

std::string to_json(const LifecycleEvent& event) {
  const Json json = {{"seq", event.seq},         {"at", format_rfc3339(event.at)},
                     {"backend", event.backend}, {"event", event.event},
                     {"from", event.from},       {"to", event.to},
                     {"reason", event.reason},   {"detail", event.detail}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

EventHistory::EventHistory(RotatingFile& file) : file_(file) {
  restore(read_tail(file.path().string() + ".1"));
  const std::string tail = read_tail(file.path().string());
  restore(tail);
  // The last agent died in mid-line; the next event must not be glued to its half.
  if (!tail.empty() && tail.back() != '\n') file_.append("\n");
}

void EventHistory::restore(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    auto event = parse_event(lines.substr(0, end));
    if (event && event->seq > last_) keep(std::move(*event));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

void EventHistory::keep(LifecycleEvent event) {
  last_ = event.seq;
  events_.push_back(std::move(event));
  if (events_.size() > kMaxEvents) events_.pop_front();
}

std::uint64_t EventHistory::append(LifecycleEvent event) {
  event.seq = last_ + 1;
  event.at = std::chrono::floor<std::chrono::milliseconds>(event.at);
  file_.append(to_json(event) + "\n");
  keep(std::move(event));
  if (appended_) appended_(events_.back());
  return last_;
}

std::vector<LifecycleEvent> EventHistory::after(std::uint64_t seq) const {
  const auto first =
      std::upper_bound(events_.begin(), events_.end(), seq,
                       [](std::uint64_t wanted, const LifecycleEvent& e) { return wanted < e.seq; });
  return {first, events_.end()};
}

std::vector<LifecycleEvent> EventHistory::newest(std::string_view backend, std::size_t count) const {
  std::vector<LifecycleEvent> found;
  for (auto each = events_.rbegin(); each != events_.rend() && found.size() < count; ++each) {
    if (each->backend == backend) found.push_back(*each);
  }
  return found;
}

}  // namespace codex
