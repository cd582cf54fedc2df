#include "probes/frame_chain.h"

#include <utility>

namespace codex {

namespace {

// main() and what calls it in libc take 272 bytes on Debian 12.
constexpr std::uint64_t kMaxBelowBottom = 1'024;

}  // namespace

FrameChains::FrameChains(const StackImage& stack, std::optional<std::uint64_t> frame_pointer,
                         std::function<bool(std::uint64_t)> is_code)
    : stack_(stack),
      frame_pointer_(frame_pointer),
      is_code_(std::move(is_code)),
      seen_(stack.words.size()),
      position_(stack.begin) {}

bool FrameChains::is_frame(std::uint64_t address) const {
  return stack_.holds(address) && stack_.holds(address + 8) && is_code_(stack_.at(address + 8));
}

std::optional<FrameChain> FrameChains::follow(std::uint64_t frame) {
  FrameChain chain;
  for (;;) {
    auto seen = seen_[(frame - stack_.begin) / 8];
    if (seen) return std::nullopt;
    seen = true;
    chain.frames.push_back(frame);
    const auto caller = stack_.at(frame);
    if (caller <= frame || !is_frame(caller)) break;
    frame = caller;
  }
  chain.complete = stack_.bottom >= frame && stack_.bottom - frame <= kMaxBelowBottom;
  return chain;
}

std::optional<FrameChain> FrameChains::next() {
  if (const auto start = std::exchange(frame_pointer_, std::nullopt); start && is_frame(*start)) {
    if (auto chain = follow(*start)) return chain;
  }
  for (; position_ < stack_.end(); position_ += 8) {
    const auto caller = stack_.at(position_);
    if (caller <= position_ || !stack_.holds(caller) || !is_frame(position_)) continue;
    auto chain = follow(position_);
    if (!chain) continue;
    position_ += 8;
    return chain;
  }
  return std::nullopt;
}

}  // namespace codex
