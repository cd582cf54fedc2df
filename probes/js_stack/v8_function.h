#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "probes/js_stack/v8_heap.h"

namespace codex {

/// What V8's heap tells about a JavaScript function.
struct V8Function {
  std::string name;                             ///< "" if anonymous
  std::optional<TaggedValue> script;            ///< absent for builtins
  std::string script_name;                      ///< path, file: URL or "node:..."
  std::optional<std::uint32_t> start_position;  ///< of its parameters, in characters of the script's source
};

/// nullopt unless `object` is a JSFunction. Names are cut at `max_name` bytes.
std::optional<V8Function> read_v8_function(V8Heap& heap, TaggedValue object, std::size_t max_name);

/// Where in the source the bytecode at `raw_offset` (the frame's slot) of `bytecode_array` comes from;
/// nullopt unless the frame is interpreted and V8 kept the table, which node does by default.
std::optional<std::uint32_t> bytecode_position(V8Heap& heap, TaggedValue bytecode_array,
                                               TaggedValue raw_offset);

/// Lines of positions, counted in the scripts' sources. Remembers what it counted: in the same script the
/// next position continues from the nearest one before it.
class V8Lines {
 public:
  explicit V8Lines(V8Heap& heap) : heap_(heap) {}
  /// From 1; nullopt if the source cannot be read up to there.
  std::optional<std::uint32_t> line(TaggedValue script, std::uint32_t position);

 private:
  V8Heap& heap_;
  std::map<TaggedValue, std::map<std::uint32_t, std::uint32_t>> known_;  // script -> position -> line
};

}  // namespace codex
