#include "probes/js_frames.h"

#include <string_view>

#include "agent/os/display_text.h"

namespace codex {

namespace {

// A remnant of old calls is short; this many are looked at where no chain leads to main().
constexpr int kMaxChains = 256;

std::optional<std::uint64_t> slot(const StackImage& stack, std::uint64_t frame, int offset) {
  const auto address = frame + static_cast<std::uint64_t>(std::int64_t{offset});
  return stack.holds(address) ? std::optional(stack.at(address)) : std::nullopt;
}

JsFrameKind kind_of(const V8Function& function) {
  if (!function.script) return JsFrameKind::kBuiltin;
  return std::string_view(function.script_name).starts_with("node:") ? JsFrameKind::kNode
                                                                     : JsFrameKind::kScript;
}

/// A JavaScript frame has a context and its function in fixed slots; frames of V8's own code have a small
/// integer instead of the context.
std::optional<FoundFrame> frame_at(V8Heap& heap, const StackImage& stack, std::uint64_t address,
                                   bool slots_are_current) {
  const auto& m = heap.metadata();
  const auto context = slot(stack, address, m.frame_context_or_type);
  const auto object = slot(stack, address, m.frame_function);
  if (!context || !is_object(*context) || !object || !is_object(*object)) return std::nullopt;
  auto function = read_v8_function(heap, *object, kMaxJsText);
  if (!function) return std::nullopt;

  FoundFrame found;
  found.frame.kind = kind_of(*function);
  found.frame.function = escape_for_display(function->name, kMaxJsText);
  found.frame.file = escape_for_display(function->script_name, kMaxJsText);
  found.script = function->script;
  found.position = function->start_position;
  if (found.position) found.frame.line_is = JsLine::kFunction;
  if (slots_are_current && m.frame_bytecode_array && m.frame_bytecode_offset) {
    const auto code = slot(stack, address, *m.frame_bytecode_array);
    const auto offset = slot(stack, address, *m.frame_bytecode_offset);
    const auto position = code && offset ? bytecode_position(heap, *code, *offset) : std::nullopt;
    if (position) {
      found.position = position;
      found.frame.line_is = JsLine::kCurrent;
    }
  }
  return found;
}

FoundFrames frames_of(V8Heap& heap, const StackImage& stack, const FrameChain& chain, bool running) {
  FoundFrames found;
  found.complete = chain.complete;
  for (const auto address : chain.frames) {
    auto frame = frame_at(heap, stack, address, !running || address != chain.frames.front());
    if (!frame) continue;
    if (found.frames.size() == kMaxJsFrames) {
      found.truncated = true;
      break;
    }
    found.frames.push_back(std::move(*frame));
  }
  return found;
}

}  // namespace

FoundFrames find_js_frames(V8Heap& heap, const StackImage& stack, std::optional<std::uint64_t> frame_pointer,
                           const std::function<bool(std::uint64_t)>& is_code, bool running) {
  FrameChains chains(stack, frame_pointer, is_code);
  FoundFrames best;
  for (int i = 0; i < kMaxChains; ++i) {
    const auto chain = chains.next();
    if (!chain) break;
    if (!chain->complete && !best.frames.empty()) continue;
    auto found = frames_of(heap, stack, *chain, running);
    if (found.complete) return found;
    best = std::move(found);
  }
  return best;
}

std::vector<JsFrame> with_lines(V8Heap& heap, std::vector<FoundFrame> found) {
  V8Lines lines(heap);
  std::vector<JsFrame> frames;
  for (auto& [frame, script, position] : found) {
    const auto line = script && position ? lines.line(*script, *position) : std::nullopt;
    frame.line = line.value_or(0);
    if (!line) frame.line_is = JsLine::kUnknown;
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace codex
