#include "probes/js_stack/js_frames.h"

#include <filesystem>
#include <map>
#include <string_view>

#include "agent/text/display_text.h"
#include "probes/js_stack/v8_exit_frame.h"

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

/// Reads frames one after another. A function met again, as in a recursion, is read once.
class FrameReader {
 public:
  FrameReader(V8Heap& heap, const StackImage& stack, const CodeAt& code_at)
      : heap_(heap), stack_(stack), code_at_(code_at) {}

  /// `first_is_certain`: no remnant of an old call may pass for the innermost frame.
  FoundFrames read(const std::vector<std::uint64_t>& addresses, bool complete, bool first_is_certain);

 private:
  std::optional<FoundFrame> frame_at(std::uint64_t address, bool interpreted);
  const std::optional<FoundFrame>& function_at(TaggedValue object);

  V8Heap& heap_;
  const StackImage& stack_;
  const CodeAt& code_at_;
  std::map<TaggedValue, std::optional<FoundFrame>> functions_;
};

const std::optional<FoundFrame>& FrameReader::function_at(TaggedValue object) {
  const auto known = functions_.find(object);
  if (known != functions_.end()) return known->second;
  std::optional<FoundFrame> found;
  if (const auto function = read_v8_function(heap_, object, kMaxJsText)) {
    found.emplace();
    found->frame.kind = kind_of(*function);
    found->frame.function = escape_for_display(function->name, kMaxJsText);
    found->frame.file = escape_for_display(function->script_name, kMaxJsText);
    found->script = function->script;
    found->position = function->start_position;
    if (found->position) found->frame.line_is = JsLine::kFunction;
  }
  return functions_.emplace(object, std::move(found)).first->second;
}

/// A JavaScript frame has a context and its function in fixed slots; frames of V8's own code have a small
/// integer instead of the context. An optimised loop runs in the frame that the interpreter began, so slots
/// alone do not tell that a frame is interpreted.
std::optional<FoundFrame> FrameReader::frame_at(std::uint64_t address, bool interpreted) {
  const auto& m = heap_.metadata();
  const auto context = slot(stack_, address, m.frame_context_or_type);
  const auto object = slot(stack_, address, m.frame_function);
  if (!context || !is_object(*context) || !object || !is_object(*object)) return std::nullopt;
  auto found = function_at(*object);
  if (!found || !interpreted || !m.frame_bytecode_array || !m.frame_bytecode_offset) return found;
  const auto code = slot(stack_, address, *m.frame_bytecode_array);
  const auto offset = slot(stack_, address, *m.frame_bytecode_offset);
  const auto position = code && offset ? bytecode_position(heap_, *code, *offset) : std::nullopt;
  if (position) {
    found->position = position;
    found->frame.line_is = JsLine::kCurrent;
  }
  return found;
}

FoundFrames FrameReader::read(const std::vector<std::uint64_t>& addresses, bool complete,
                              bool first_is_certain) {
  FoundFrames found;
  found.complete = complete;
  auto returns_to = CodeKind::kNone;  // not known of the innermost
  for (const auto address : addresses) {
    const bool certain = first_is_certain || !found.frames.empty();
    auto frame = frame_at(address, certain && returns_to == CodeKind::kProgram);
    returns_to = code_at_(stack_.at(address + 8));
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
                           const CodeAt& code_at, bool running) {
  FrameReader reader(heap, stack, code_at);
  FrameChains chains(stack, frame_pointer, code_at);
  // A thread that was stopped in JavaScript has no frame below it, only what calls that have returned left
  // there.
  const bool certain = frame_pointer || !running;
  FoundFrames likely;
  for (int i = 0; i < kMaxChains; ++i) {
    const auto chain = chains.next();
    if (!chain) break;
    if (chain->complete) return reader.read(chain->frames, true, certain);
    // The chain of a running thread begins where it is; JavaScript on it is what runs.
    if (likely.frames.empty()) likely = reader.read(chain->frames, false, certain);
    if (i == 0 && frame_pointer && !likely.frames.empty()) return likely;
  }
  const auto exit = find_v8_exit_frame(heap, stack, code_at);
  if (exit.frame) return reader.read(v8_frames_from(stack, *exit.frame, code_at), true, true);
  if (exit.isolate_found && !running) return {{}, true, false};
  return likely;
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

std::string describe_frame(const JsFrame& frame) {
  std::string text = frame.function.empty() ? "(anonymous)" : frame.function;
  if (frame.file.empty()) return text;
  text += " (" + std::filesystem::path(frame.file).filename().string();
  if (frame.line_is == JsLine::kCurrent) text += ":" + std::to_string(frame.line);
  if (frame.line_is == JsLine::kFunction) text += ", from line " + std::to_string(frame.line);
  return text + ")";
}

}  // namespace codex
