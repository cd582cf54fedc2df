#include "agent/output/line_splitter.h"

#include <algorithm>
#include <utility>

namespace codex {

LineSplitter::LineSplitter(std::size_t max_line) : max_line_(std::max<std::size_t>(max_line, 1)) {}

void LineSplitter::feed(std::string_view bytes, const Emit& emit) {
  while (!bytes.empty()) {
    // A piece goes out only when a further byte of its line has come, so that a line of exactly max_line_
    // bytes is one line however its newline arrives.
    const std::size_t room = max_line_ - partial_.size();
    const std::size_t newline = bytes.substr(0, room + 1).find('\n');
    const bool complete = newline != std::string_view::npos;
    if (!complete && bytes.size() <= room) {
      partial_.append(bytes);
      return;
    }
    const std::string_view taken = bytes.substr(0, complete ? newline : room);
    bytes.remove_prefix(taken.size() + (complete ? 1 : 0));
    if (partial_.empty()) {
      emit(taken, complete);
    } else {
      partial_.append(taken);
      const std::string line = std::exchange(partial_, {});
      emit(line, complete);
    }
  }
}

std::string LineSplitter::take_partial() {
  return std::exchange(partial_, {});
}

}  // namespace codex
