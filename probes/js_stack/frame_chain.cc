#include "probes/js_stack/frame_chain.h"

#include <utility>

namespace codex {

namespace {

// main() and what calls it in libc take 272 bytes on Debian 12.
constexpr std::uint64_t kMaxBelowBottom = 1'024;
// What functions of libc that wait use below the first frame of node's; 32 bytes in most.
constexpr std::uint64_t kMaxAboveTop = 512;

}  // namespace

FrameChains::FrameChains(const StackImage& stack, std::optional<std::uint64_t> frame_pointer, CodeAt code_at)
    : stack_(stack),
      frame_pointer_(frame_pointer),
      code_at_(std::move(code_at)),
      seen_(stack.words.size()),
      position_(stack.begin) {}

bool FrameChains::is_frame(std::uint64_t address) const {
  return stack_.holds(address) && stack_.holds(address + 8) &&
         code_at_(stack_.at(address + 8)) != CodeKind::kNone;
}

std::optional<FrameChain> FrameChains::follow(std::uint64_t frame, bool innermost) {
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
  chain.complete = innermost && stack_.bottom >= frame && stack_.bottom - frame <= kMaxBelowBottom;
  return chain;
}

std::optional<FrameChain> FrameChains::next() {
  if (const auto start = std::exchange(frame_pointer_, std::nullopt); start && is_frame(*start)) {
    if (auto chain = follow(*start, true)) return chain;
  }
  for (; position_ < stack_.end(); position_ += 8) {
    const auto caller = stack_.at(position_);
    if (caller <= position_ || !stack_.holds(caller) || !is_frame(position_)) continue;
    auto chain = follow(position_, position_ - stack_.begin <= kMaxAboveTop);
    if (!chain) continue;
    position_ += 8;
    return chain;
  }
  return std::nullopt;
}

}  // namespace codex
