#include "probes/js_stack/v8_exit_frame.h"

#include <algorithm>
#include <span>

namespace codex {

namespace {

constexpr std::uint64_t kChunk = 256 << 10;  // V8's unit of heap memory; its header begins each
constexpr std::uint64_t kChunkHeap = 16;     // offset of the pointer to the Heap, a member of the Isolate
// The Isolate's roots, tables and the thread's state lie before its Heap.
constexpr std::size_t kBeforeHeap = 64 << 10;
constexpr std::size_t kMaxChunks = 128;

// Types of frames, in the slot after the frame pointer, times two: entry 1, construct entry 2, exit 3 in
// every version; other kinds of exit are numbers below 40.
constexpr std::uint64_t kEntry = 2 * 1, kConstructEntry = 2 * 2, kFirstExit = 2 * 3, kLastType = 2 * 40;
constexpr std::uint64_t kEntrySlots = 12;  // of an entry frame, the saved exit frame among them

std::uint64_t type_of_frame(const StackImage& stack, std::uint64_t frame) {
  return stack.holds(frame - 8) ? stack.at(frame - 8) : 0;
}

bool is_exit_frame(const StackImage& stack, std::uint64_t frame, const CodeAt& code_at) {
  if (!stack.holds(frame) || !stack.holds(frame + 8) || code_at(stack.at(frame + 8)) == CodeKind::kNone)
    return false;
  const auto type = type_of_frame(stack, frame);
  return type % 2 == 0 && type >= kFirstExit && type <= kLastType && stack.at(frame) > frame &&
         stack.holds(stack.at(frame));
}

/// Heaps that the chunks of objects on the stack belong to, the one named by most chunks first.
std::vector<std::uint64_t> heaps_on(V8Heap& heap, const StackImage& stack) {
  std::vector<std::uint64_t> chunks;
  for (const auto word : stack.words) {
    const auto chunk = word & ~(kChunk - 1);
    if (!is_object(word) || chunk == 0 || chunks.size() >= kMaxChunks) continue;
    if (std::find(chunks.begin(), chunks.end(), chunk) == chunks.end()) chunks.push_back(chunk);
  }
  std::vector<std::pair<int, std::uint64_t>> votes;
  for (const auto chunk : chunks) {
    const auto named = heap.memory().number<std::uint64_t>(chunk + kChunkHeap);
    if (!named || *named < kBeforeHeap || *named % 8 != 0 || !heap.memory().number<std::uint64_t>(*named))
      continue;
    const auto known = std::find_if(votes.begin(), votes.end(), [&](auto& v) { return v.second == *named; });
    if (known == votes.end()) {
      votes.emplace_back(-1, *named);
    } else {
      --known->first;
    }
  }
  std::sort(votes.begin(), votes.end());
  std::vector<std::uint64_t> heaps;
  // A number that one chunk alone has may be anything.
  for (const auto& [negative_count, address] : votes) {
    if (negative_count <= -2) heaps.push_back(address);
  }
  return heaps;
}

std::optional<std::uint64_t> outer_exit_frame(const StackImage& stack, std::uint64_t entry,
                                              const CodeAt& code_at) {
  for (std::uint64_t i = 2; i <= kEntrySlots; ++i) {
    if (!stack.holds(entry - 8 * i)) break;
    const auto word = stack.at(entry - 8 * i);
    if (word > entry && is_exit_frame(stack, word, code_at)) return word;
  }
  return std::nullopt;
}

}  // namespace

V8ExitFrame find_v8_exit_frame(V8Heap& heap, const StackImage& stack, const CodeAt& code_at) {
  V8ExitFrame found;
  std::vector<std::uint64_t> words(kBeforeHeap / 8);
  for (const auto address : heaps_on(heap, stack)) {
    const auto bytes = std::as_writable_bytes(std::span(words));
    if (heap.memory().read(address - kBeforeHeap, bytes) != bytes.size()) continue;
    found.isolate_found = true;
    const auto frame = std::find_if(words.begin(), words.end(),
                                    [&](std::uint64_t word) { return is_exit_frame(stack, word, code_at); });
    if (frame == words.end()) continue;
    found.frame = *frame;
    break;
  }
  return found;
}

std::vector<std::uint64_t> v8_frames_from(const StackImage& stack, std::uint64_t exit_frame,
                                          const CodeAt& code_at) {
  std::vector<std::uint64_t> frames;
  std::optional<std::uint64_t> next = exit_frame;
  while (next) {
    std::uint64_t entry = 0;
    auto frame = *next;
    for (;;) {
      frames.push_back(frame);
      const auto type = type_of_frame(stack, frame);
      if (type == kEntry || type == kConstructEntry) entry = frame;
      const auto caller = stack.at(frame);
      if (caller <= frame || !stack.holds(caller) || !stack.holds(caller + 8) ||
          code_at(stack.at(caller + 8)) == CodeKind::kNone)
        break;
      frame = caller;
    }
    next = entry ? outer_exit_frame(stack, entry, code_at) : std::nullopt;
    if (next && *next <= frame) next.reset();
  }
  return frames;
}

}  // namespace codex
