#include "tests/probes/js_stack/v8_image.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace codex {

ElfConstants node20_constants() {
  ElfConstants constants;
  constants.machine = EM_X86_64;
  const auto add = [&](std::string_view name, std::int32_t value) {
    constants.values.emplace("v8dbg_" + std::string(name), value);
  };
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string_view, std::int32_t>>{
           {"ConsStringTag", 1},
           {"ExternalStringTag", 2},
           {"FirstNonstringType", 128},
           {"HeapObjectTag", 1},
           {"OneByteStringTag", 8},
           {"SeqStringTag", 0},
           {"SlicedStringTag", 3},
           {"SmiShiftSize", 31},
           {"StringEncodingMask", 8},
           {"StringRepresentationMask", 7},
           {"TaggedSize", 8},
           {"ThinStringTag", 5},
           {"class_BytecodeArray__data__uintptr_t", 54},
           {"class_ConsString__first__String", 16},
           {"class_ConsString__second__String", 24},
           {"class_ExternalString__resource__Object", 16},
           {"class_JSFunction__shared__SharedFunctionInfo", 24},
           {"class_Map__instance_type__uint16_t", 12},
           {"class_Script__name__Object", 16},
           {"class_Script__source__Object", 8},
           {"class_SeqOneByteString__chars__char", 16},
           {"class_SeqTwoByteString__chars__char", 16},
           {"class_SharedFunctionInfo__name_or_scope_info__Object", 16},
           {"class_SharedFunctionInfo__script_or_debug_info__HeapObject", 32},
           {"class_SlicedString__offset__SMI", 24},
           {"class_SlicedString__parent__String", 16},
           {"class_String__length__int32_t", 12},
           {"class_ThinString__actual__String", 16},
           {"off_fp_bytecode_array", -32},
           {"off_fp_bytecode_offset", -40},
           {"off_fp_context_or_frame_type", -8},
           {"off_fp_function", -16},
           {"scopeinfo_idx_first_vars", 3},
           {"scopeinfo_idx_ncontextlocals", 2},
           {"type_ByteArray__BYTE_ARRAY_TYPE", 190},
           {"type_BytecodeArray__BYTECODE_ARRAY_TYPE", 191},
           {"type_JSFunction__JS_FUNCTION_TYPE", 2066},
           {"type_Map__MAP_TYPE", 255},
           {"type_ScopeInfo__SCOPE_INFO_TYPE", 261},
           {"type_Script__SCRIPT_TYPE", 167},
           {"type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE", 262},
       })
    add(name, value);
  constants.values.emplace("_ZN2v88internal7Version6major_E", 11);
  constants.values.emplace("_ZN2v88internal7Version6minor_E", 3);
  constants.values.emplace("_ZN2v88internal7Version6build_E", 244);
  return constants;
}

namespace {

constexpr int kOddball = 131, kOneByte = 40, kTwoByte = 32, kCons = 41, kSliced = 43, kThin = 45,
              kExternal = 42;

}  // namespace

V8Image::V8Image(std::size_t stack_words)
    : metadata_(*v8_metadata(node20_constants()).metadata), stack_(stack_words) {
  map_of_maps_ = allocate(80) + 1;
  put(map_of_maps_, 0, map_of_maps_);
  put(map_of_maps_, 12, static_cast<std::uint64_t>(metadata_.type_map));
}

std::size_t V8Image::read(std::uint64_t address, std::span<std::byte> out) {
  const auto copy = [&](std::span<const std::byte> from, std::uint64_t begin) -> std::size_t {
    if (address < begin || address - begin >= from.size()) return 0;
    const auto n = std::min<std::size_t>(out.size(), from.size() - (address - begin));
    std::memcpy(out.data(), from.data() + (address - begin), n);
    return n;
  };
  const auto n = copy(heap_, kHeap);
  return n > 0 ? n : copy(std::as_bytes(std::span(stack_)), kStack);
}

std::uint64_t V8Image::allocate(std::size_t bytes) {
  const auto address = kHeap + heap_.size();
  heap_.resize((heap_.size() + bytes + 7) / 8 * 8);
  return address;
}

void V8Image::put_bytes(std::uint64_t address, std::span<const std::byte> bytes) {
  std::copy(bytes.begin(), bytes.end(), heap_.begin() + static_cast<std::ptrdiff_t>(address - kHeap));
}

void V8Image::put(TaggedValue object, int offset, std::uint64_t value) {
  put_bytes(object - 1 + static_cast<std::uint64_t>(offset), std::as_bytes(std::span(&value, 1)));
}

TaggedValue V8Image::object(int type, std::size_t bytes) {
  const auto map = allocate(80) + 1;
  put(map, 0, map_of_maps_);
  put(map, 8, static_cast<std::uint64_t>(type) << 32);  // two bytes at 12
  const auto made = allocate(std::max<std::size_t>(bytes, 16)) + 1;
  put(made, 0, map);
  return made;
}

TaggedValue V8Image::string(int type, std::uint32_t length, std::size_t bytes) {
  const auto made = object(type, bytes);
  put(made, 8, std::uint64_t{length} << 32);  // four bytes at 12
  return made;
}

TaggedValue V8Image::one_byte(std::string_view characters) {
  const auto made = string(kOneByte, static_cast<std::uint32_t>(characters.size()), 16 + characters.size());
  put_bytes(made - 1 + 16, std::as_bytes(std::span(characters)));
  return made;
}

TaggedValue V8Image::two_byte(std::u16string_view characters) {
  const auto made =
      string(kTwoByte, static_cast<std::uint32_t>(characters.size()), 16 + 2 * characters.size());
  put_bytes(made - 1 + 16, std::as_bytes(std::span(characters)));
  return made;
}

TaggedValue V8Image::cons(TaggedValue first, TaggedValue second, std::uint32_t length) {
  const auto made = string(kCons, length, 32);
  put(made, 16, first);
  put(made, 24, second);
  return made;
}

TaggedValue V8Image::sliced(TaggedValue parent, std::uint32_t offset, std::uint32_t length) {
  const auto made = string(kSliced, length, 32);
  put(made, 16, parent);
  put(made, 24, smi(static_cast<std::int32_t>(offset)));
  return made;
}

TaggedValue V8Image::thin(TaggedValue actual, std::uint32_t length) {
  const auto made = string(kThin, length, 24);
  put(made, 16, actual);
  return made;
}

TaggedValue V8Image::external(std::string_view characters) {
  const auto data = allocate(characters.size());
  put_bytes(data, std::as_bytes(std::span(characters)));
  const auto made = string(kExternal, static_cast<std::uint32_t>(characters.size()), 32);
  put(made, 24, data);
  return made;
}

TaggedValue V8Image::scope_info(const std::vector<TaggedValue>& slots) {
  const auto made = object(metadata_.type_scope_info, 8 + 8 * slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) put(made, static_cast<int>(8 + 8 * i), slots[i]);
  return made;
}

TaggedValue V8Image::script(TaggedValue name, TaggedValue source) {
  const auto made = object(metadata_.type_script, 104);
  put(made, 8, source);
  put(made, 16, name);
  return made;
}

TaggedValue V8Image::function(TaggedValue name_or_scope, TaggedValue script) {
  const auto shared = object(metadata_.type_shared_function_info, 56);
  put(shared, 16, name_or_scope);
  put(shared, 32, script);
  const auto made = object(metadata_.first_function_type, 64);
  put(made, 24, shared);
  return made;
}

TaggedValue V8Image::bytecode_array(std::span<const std::uint8_t> positions) {
  const auto table = object(*metadata_.type_byte_array, 16 + positions.size());
  put(table, 8, smi(static_cast<std::int32_t>(positions.size())));
  put_bytes(table - 1 + 16, std::as_bytes(positions));
  const auto made = object(*metadata_.type_bytecode_array, 64);
  put(made, 32, table);
  return made;
}

TaggedValue V8Image::undefined() {
  return object(kOddball, 48);
}

void V8Image::frame(std::size_t word, std::size_t caller_word, TaggedValue function, TaggedValue bytecode,
                    TaggedValue offset, std::uint64_t return_address) {
  stack_.at(word) = stack_address(caller_word);
  stack_.at(word + 1) = return_address;
  stack_.at(word - 1) = kHeap + 1;  // a context
  stack_.at(word - 2) = function;
  stack_.at(word - 4) = bytecode;
  stack_.at(word - 5) = offset;
}

StackImage V8Image::stack() const {
  return {kStack, stack_, kStack + 8 * stack_.size()};
}

void V8Image::set_byte(std::size_t index, std::uint8_t value) {
  if (index < heap_.size()) {
    heap_[index] = std::byte{value};
  } else {
    std::as_writable_bytes(std::span(stack_))[index - heap_.size()] = std::byte{value};
  }
}

std::uint64_t make_two_frames(V8Image& image) {
  const auto smi = [](std::int32_t value) { return V8Image::smi(value); };
  const auto source =
      image.external("function outer() {\n  inner();\n}\nfunction inner() {\n  for (;;);\n}\n");
  const auto script = image.script(image.one_byte("/app/server.js"), source);
  const auto none = image.undefined();
  const auto outer = image.function(image.scope_info({smi(1), smi(0), smi(0), image.one_byte("outer"),
                                                      smi(-1), none, smi(14), smi(31), none}),
                                    script);
  const auto inner =
      image.function(image.scope_info({smi(1), smi(0), smi(1), image.one_byte("local"), smi(0),
                                       image.one_byte("inner"), smi(-1), none, smi(46), smi(63), none}),
                     script);
  // At bytecode 0 position 14, at bytecode 5 (an expression) position 21: (n + 1) << 1, differences in
  // zigzag.
  const std::array<std::uint8_t, 4> positions = {0, 60, 11, 28};
  const auto bytecode = image.bytecode_array(positions);
  image.frame(100, 140, inner, 0, 0);
  image.frame(140, 250, outer, bytecode, smi(54 - 1 + 7));
  image.frame(250, 0, 0);
  return V8Image::stack_address(100);
}

}  // namespace codex
