#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "probes/js_stack/code_kind.h"

namespace codex {

using CodeAt = std::function<CodeKind(std::uint64_t address)>;

/// A copy of a thread's stack from the stack pointer up.
struct StackImage {
  std::uint64_t begin = 0;  ///< address of words[0]: the stack pointer, aligned
  std::span<const std::uint64_t> words;
  std::uint64_t bottom = 0;  ///< where the stack began (/proc/PID/stat field 28), 0 if unknown

  [[nodiscard]] std::uint64_t end() const { return begin + 8 * words.size(); }
  /// Whether `address` is one of an aligned word of the copy.
  [[nodiscard]] bool holds(std::uint64_t address) const {
    return address >= begin && address < end() && address % 8 == 0;
  }
  /// Content; `address` must be held.
  [[nodiscard]] std::uint64_t at(std::uint64_t address) const { return words[(address - begin) / 8]; }
};

/// Frame pointers from the innermost frame outwards.
struct FrameChain {
  std::vector<std::uint64_t> frames;
  /// It leads to main(), so it is the thread's real chain and not a remnant of old calls.
  bool complete = false;
};

/// Finds chains of frames in a stack: every function of node, in machine code from C++ as from JavaScript,
/// keeps the caller's frame pointer at its own and the return address above it.
///
/// With a frame pointer the chain from there comes first. Without, the copy is searched from the stack
/// pointer up for words that look like a frame. System libraries keep no frame pointers, but they are the
/// innermost few hundred bytes only; above lies the first real frame. Cost: a few operations a word.
class FrameChains {
 public:
  /// `code_at` tells return addresses. The image must outlive this.
  FrameChains(const StackImage& stack, std::optional<std::uint64_t> frame_pointer, CodeAt code_at);

  /// The next chain; chains that end in an earlier one are left out. nullopt: no more.
  std::optional<FrameChain> next();

 private:
  [[nodiscard]] bool is_frame(std::uint64_t address) const;
  std::optional<FrameChain> follow(std::uint64_t frame, bool innermost);

  const StackImage& stack_;
  std::optional<std::uint64_t> frame_pointer_;
  CodeAt code_at_;
  std::vector<bool> seen_;
  std::uint64_t position_;
};

}  // namespace codex
