#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "probes/js_stack/memory_reader.h"
#include "probes/js_stack/v8_metadata.h"

namespace codex {

/// A tagged value: small integer (low bit 0) or address of a heap object plus one.
using TaggedValue = std::uint64_t;

constexpr bool is_smi(TaggedValue value) {
  return (value & 0xffffffff) == 0;
}
constexpr std::int32_t smi_value(TaggedValue value) {
  return static_cast<std::int32_t>(value >> 32);
}
/// Strong references only; a weak one has both low bits set.
constexpr bool is_object(TaggedValue value) {
  return (value & 3) == 1;
}

/// V8's heap in another process. Everything read may be garbage: objects move and die while one looks, so a
/// type is believed only if the object's map is itself a map. Never throws for what memory holds; bounded by
/// the reader's limits.
class V8Heap {
 public:
  /// Both must outlive this.
  V8Heap(const V8Metadata& metadata, MemoryReader& memory) : metadata_(metadata), memory_(memory) {}

  [[nodiscard]] const V8Metadata& metadata() const { return metadata_; }
  [[nodiscard]] MemoryReader& memory() { return memory_; }

  /// The field at byte `offset` of an object; nullopt if `object` is none or not readable.
  std::optional<TaggedValue> field(TaggedValue object, int offset);
  std::optional<int> type_of(TaggedValue object);
  bool is_string(TaggedValue object);

  /// Characters of a string from one place on that lie in memory one after another.
  struct Segment {
    std::uint64_t address = 0;
    std::uint32_t characters = 0;
    bool one_byte = true;
  };
  /// The segment at character `offset`, through ropes, slices and forwardings; nullopt at the end or if
  /// damaged.
  std::optional<Segment> segment(TaggedValue string, std::uint32_t offset);

  /// A string as UTF-8, at most `max_bytes` of it (cut at a character); nullopt if it is none.
  std::optional<std::string> text(TaggedValue string, std::size_t max_bytes);

 private:
  std::optional<int> type_of_map(TaggedValue map);

  const V8Metadata& metadata_;
  MemoryReader& memory_;
  std::unordered_map<TaggedValue, int> types_;  // of maps; few kinds of objects are met again and again
};

}  // namespace codex
