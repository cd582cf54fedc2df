#include "agent/evidence/js_stack_document.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "probes/js_stack/js_frames.h"

namespace codex {

namespace {
using Json = nlohmann::ordered_json;
}

std::string trouble_of(const JsStack& stack) {
  if (stack.error == JsStackError::kNone) return "";
  return std::string(name_of(stack.error)) + (stack.detail.empty() ? "" : ": " + stack.detail);
}

Json to_json(const JsStack& stack) {
  Json frames = Json::array();
  for (const auto& frame : stack.frames) {
    Json json{{"function", frame.function}, {"file", frame.file}, {"line", nullptr}};
    if (frame.line_is != JsLine::kUnknown) json["line"] = frame.line;
    json["line_is"] = frame.line_is == JsLine::kCurrent    ? "current"
                      : frame.line_is == JsLine::kFunction ? "function"
                                                           : "unknown";
    json["text"] = describe_frame(frame);
    frames.push_back(std::move(json));
  }
  const std::string trouble = trouble_of(stack);
  return {{"error", trouble.empty() ? Json(nullptr) : Json(trouble)},
          {"complete", stack.complete},
          {"v8_version", stack.v8_version.empty() ? Json(nullptr) : Json(stack.v8_version)},
          {"frames", std::move(frames)}};
}

std::string describe_place(const JsStack& stack) {
  if (stack.frames.empty()) return "";
  const auto own = std::find_if(stack.frames.begin(), stack.frames.end(),
                                [](const JsFrame& frame) { return frame.kind == JsFrameKind::kScript; });
  return describe_frame(own == stack.frames.end() ? stack.frames.front() : *own);
}

}  // namespace codex
