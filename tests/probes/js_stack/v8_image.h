#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probes/js_stack/elf_symbols.h"
#include "probes/js_stack/frame_chain.h"
#include "probes/js_stack/memory_reader.h"
#include "probes/js_stack/v8_heap.h"
#include "probes/js_stack/v8_metadata.h"

namespace codex {

/// The constants that node 20 publishes, as far as the reader uses them.
ElfConstants node20_constants();

/// A heap and a stack as V8 11 lays them out, made by hand, for tests that need no node and for fuzzing.
/// Values are tagged; offsets and types are those of node20_constants().
class V8Image final : public MemoryReader {
 public:
  static constexpr std::uint64_t kHeap = 0x100000, kStack = 0x7ffc00000000, kCode = 0x400000,
                                 kGenerated = 0x480000, kCodeEnd = 0x500000;

  explicit V8Image(std::size_t stack_words = 256);

  std::size_t read(std::uint64_t address, std::span<std::byte> out) override;

  // Objects
  TaggedValue one_byte(std::string_view characters);
  TaggedValue two_byte(std::u16string_view characters);
  TaggedValue cons(TaggedValue first, TaggedValue second, std::uint32_t length);
  TaggedValue sliced(TaggedValue parent, std::uint32_t offset, std::uint32_t length);
  TaggedValue thin(TaggedValue actual, std::uint32_t length);
  TaggedValue external(std::string_view characters);
  TaggedValue scope_info(const std::vector<TaggedValue>& slots);
  TaggedValue script(TaggedValue name, TaggedValue source);
  TaggedValue function(TaggedValue name_or_scope, TaggedValue script);
  TaggedValue bytecode_array(std::span<const std::uint8_t> positions);
  TaggedValue undefined();

  // Stack
  void frame(std::size_t word, std::size_t caller_word, TaggedValue function, TaggedValue bytecode = 0,
             TaggedValue offset = 0, std::uint64_t return_address = kCode + 0x10);
  static std::uint64_t stack_address(std::size_t word) { return kStack + 8 * word; }
  [[nodiscard]] StackImage stack() const;

  static CodeKind code_at(std::uint64_t address) {
    if (address < kCode || address >= kCodeEnd) return CodeKind::kNone;
    return address < kGenerated ? CodeKind::kProgram : CodeKind::kGenerated;
  }
  static constexpr TaggedValue smi(std::int32_t value) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(value)) << 32;
  }

  /// Any byte of it, heap first, for mutations.
  [[nodiscard]] std::size_t size() const { return heap_.size() + 8 * stack_.size(); }
  void set_byte(std::size_t index, std::uint8_t value);

  [[nodiscard]] const V8Metadata& metadata() const { return metadata_; }

 private:
  std::uint64_t allocate(std::size_t bytes);
  TaggedValue object(int type, std::size_t bytes);
  TaggedValue string(int type, std::uint32_t length, std::size_t bytes);
  void put(TaggedValue object, int offset, std::uint64_t value);
  void put_bytes(std::uint64_t address, std::span<const std::byte> bytes);

  V8Metadata metadata_;
  std::vector<std::byte> heap_;
  std::vector<std::uint64_t> stack_;
  TaggedValue map_of_maps_ = 0;
};

/// Two JavaScript frames in main(): `inner`, called by `outer` in its second line, of /app/server.js.
/// Interpreted, with source positions. Returns the frame pointer of the inner one.
std::uint64_t make_two_frames(V8Image& image);

}  // namespace codex
