#include "agent/output/child_output.h"

#include <algorithm>
#include <utility>

#include "agent/text/plain_text.h"

namespace codex {

namespace {

constexpr std::size_t kMaxLastLines = 100;
constexpr auto kHandOverTime = std::chrono::seconds(1);
constexpr std::array<const char*, ChildOutput::kStreams> kSuffixes = {".stdout", ".stderr"};

}  // namespace

ChildOutput::ChildOutput(EventLoop& loop, const Redactor& redactor, RotatingFile& file,
                         const std::filesystem::path& fifo_directory, const std::string& backend_name,
                         Duration patience)
    : redactor_(redactor), hand_over_timer_(loop, "output hand-over", [this] { finish_hand_over(); }) {
  file.continue_lines(fifo_directory / (backend_name + ".unfinished"));
  for (std::size_t i = 0; i < kStreams; ++i) {
    streams_[i] = std::make_unique<OutputStream>(
        loop, redactor, file, fifo_directory / (backend_name + kSuffixes[i]), patience,
        OutputStream::Listener{[this](std::string line) { remember(std::move(line)); },
                               [this] { stream_settled(); }});
  }
}

ChildOutput::~ChildOutput() = default;

UniqueFd ChildOutput::open_for_child(std::size_t stream) {
  return streams_.at(stream)->open_for_child();
}

void ChildOutput::adopt(pid_t leader) {
  for (std::size_t i = 0; i < kStreams; ++i) streams_[i]->adopt(leader, static_cast<int>(i) + 1);
}

void ChildOutput::drain() {
  for (const auto& stream : streams_) stream->drain();
}

void ChildOutput::hand_over(std::function<void()> settled) {
  handed_over_ = std::move(settled);
  hand_over_timer_.arm_after(kHandOverTime);
  for (const auto& stream : streams_) stream->hand_over();
}

void ChildOutput::stream_settled() {
  if (std::all_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->has_settled(); })) {
    finish_hand_over();
  }
}

void ChildOutput::finish_hand_over() {
  hand_over_timer_.disarm();
  for (const auto& stream : streams_) stream->give_up_waiting();
  if (const auto settled = std::exchange(handed_over_, {})) settled();
}

const ChildOutput::StreamStats& ChildOutput::stats(std::size_t stream) const {
  return streams_.at(stream)->stats();
}

std::optional<WallTime> ChildOutput::last_output() const {
  return std::max(streams_[0]->last_output(), streams_[1]->last_output());
}

void ChildOutput::remember(std::string line) {
  last_lines_.push_back({Clock::now(), std::move(line)});
  if (last_lines_.size() > kMaxLastLines) last_lines_.pop_front();
}

std::vector<std::string> ChildOutput::last_lines(TimePoint since) const {
  std::vector<std::string> lines;
  const auto show = [&](std::string_view line) {
    lines.push_back(redactor_.safe(plain_text(line), LineMasker::kMaxShownLine));
  };
  for (const Line& line : last_lines_) {
    if (line.at >= since) show(line.text);
  }
  for (const auto& stream : streams_) {
    if (!stream->unfinished_line().empty()) show(stream->unfinished_line());
  }
  if (lines.size() > kMaxLastLines) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kMaxLastLines));
  }
  return lines;
}

}  // namespace codex
