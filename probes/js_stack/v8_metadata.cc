#include "probes/js_stack/v8_metadata.h"

#include <elf.h>

#include <algorithm>
#include <initializer_list>

namespace codex {

namespace {

struct Range {
  int low, high;
};
constexpr Range kOffset{0, 4'096}, kSlot{-256, -8}, kType{0, 0xffff}, kIndex{0, 64};

/// Takes constants by name out of the table and remembers the first that was missing.
class Constants {
 public:
  explicit Constants(const ElfConstants& table) : table_(table) {}

  /// The first of the names that there is, without its prefix; V8 renames them now and then.
  std::optional<int> optional(Range range, std::initializer_list<std::string_view> names) {
    for (const auto name : names) {
      const auto found = table_.values.find("v8dbg_" + std::string(name));
      if (found != table_.values.end() && found->second >= range.low && found->second <= range.high)
        return found->second;
    }
    return std::nullopt;
  }

  int required(Range range, std::initializer_list<std::string_view> names) {
    const auto value = optional(range, names);
    if (!value && missing_.empty()) missing_ = *names.begin();
    return value.value_or(0);
  }

  [[nodiscard]] const std::string& missing() const { return missing_; }

 private:
  const ElfConstants& table_;
  std::string missing_;
};

std::string version_of(const ElfConstants& table) {
  std::string text;
  for (const std::string_view part : {"6major_E", "6minor_E", "6build_E"}) {
    const auto found = table.values.find("_ZN2v88internal7Version" + std::string(part));
    if (found == table.values.end()) return "";
    text += (text.empty() ? "" : ".") + std::to_string(found->second);
  }
  return text;
}

void read_frame_layout(Constants& c, V8Metadata& m) {
  m.frame_context_or_type = c.required(kSlot, {"off_fp_context_or_frame_type", "off_fp_context"});
  m.frame_function = c.required(kSlot, {"off_fp_function"});
  m.frame_bytecode_array = c.optional(kSlot, {"off_fp_bytecode_array"});
  m.frame_bytecode_offset = c.optional(kSlot, {"off_fp_bytecode_offset"});
}

void read_types(Constants& c, V8Metadata& m) {
  m.map_instance_type = c.required(kOffset, {"class_Map__instance_type__uint16_t"});
  m.type_map = c.required(kType, {"type_Map__MAP_TYPE"});
  m.first_function_type = c.required(kType, {"FirstJSFunctionType", "type_JSFunction__JS_FUNCTION_TYPE"});
  // Constructors of built-in classes and of user classes follow JS_FUNCTION_TYPE; 16 of them where it is
  // published.
  m.last_function_type =
      c.optional(kType, {"LastJSFunctionType"}).value_or(std::min(m.first_function_type + 16, kType.high));
  m.type_shared_function_info = c.required(kType, {"type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE"});
  m.type_script = c.required(kType, {"type_Script__SCRIPT_TYPE"});
  m.type_scope_info = c.required(kType, {"type_ScopeInfo__SCOPE_INFO_TYPE"});
  m.type_bytecode_array = c.optional(kType, {"type_BytecodeArray__BYTECODE_ARRAY_TYPE"});
  m.type_byte_array = c.optional(kType, {"type_ByteArray__BYTE_ARRAY_TYPE"});
  m.type_trusted_byte_array = c.optional(kType, {"type_TrustedByteArray__TRUSTED_BYTE_ARRAY_TYPE"});
}

void read_string_layout(Constants& c, V8Metadata& m) {
  m.first_nonstring_type = c.required(kType, {"FirstNonstringType"});
  m.string_representation_mask = c.required(kType, {"StringRepresentationMask"});
  m.string_encoding_mask = c.required(kType, {"StringEncodingMask"});
  m.one_byte_tag = c.required(kType, {"OneByteStringTag"});
  m.seq_tag = c.required(kType, {"SeqStringTag"});
  m.cons_tag = c.required(kType, {"ConsStringTag"});
  m.external_tag = c.required(kType, {"ExternalStringTag"});
  m.sliced_tag = c.required(kType, {"SlicedStringTag"});
  m.thin_tag = c.required(kType, {"ThinStringTag"});
  m.string_length = c.required(kOffset, {"class_String__length__int32_t"});
  m.one_byte_chars = c.required(kOffset, {"class_SeqOneByteString__chars__char"});
  m.two_byte_chars = c.required(kOffset, {"class_SeqTwoByteString__chars__char"});
  m.external_resource = c.required(kOffset, {"class_ExternalString__resource__Object"});
  m.cons_first = c.required(kOffset, {"class_ConsString__first__String"});
  m.cons_second = c.required(kOffset, {"class_ConsString__second__String"});
  m.sliced_parent = c.required(kOffset, {"class_SlicedString__parent__String"});
  m.sliced_offset = c.required(kOffset, {"class_SlicedString__offset__SMI"});
  m.thin_actual = c.required(kOffset, {"class_ThinString__actual__String"});
}

void read_function_layout(Constants& c, V8Metadata& m) {
  m.function_shared = c.required(kOffset, {"class_JSFunction__shared__SharedFunctionInfo"});
  m.shared_name_or_scope_info =
      c.required(kOffset, {"class_SharedFunctionInfo__name_or_scope_info__Object",
                           "class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_",
                           "class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_"});
  m.shared_script = c.required(kOffset, {"class_SharedFunctionInfo__script_or_debug_info__HeapObject",
                                         "class_SharedFunctionInfo__script__Tagged_HeapObject_",
                                         "class_SharedFunctionInfo__raw_script__Tagged_Object_"});
  m.scope_local_count = c.required(kIndex, {"scopeinfo_idx_ncontextlocals"});
  m.scope_first_variable = c.required(kIndex, {"scopeinfo_idx_first_vars"});
  m.script_name = c.required(kOffset, {"class_Script__name__Object"});
  // The first field; not published by node 16.
  m.script_source = c.optional(kOffset, {"class_Script__source__Object"}).value_or(8);
  m.bytecode_data = c.optional(kOffset, {"class_BytecodeArray__data__uintptr_t"});
  m.bytecode_wrapper = c.optional(kOffset, {"class_BytecodeArray__wrapper__Tagged_BytecodeWrapper_"});
}

}  // namespace

V8MetadataResult v8_metadata(const ElfConstants& table) {
  using Error = V8MetadataResult::Error;
  const bool published = table.values.lower_bound("v8dbg_") != table.values.end();
  if (!published) return {table.values.empty() ? Error::kNotV8 : Error::kStripped, {}, {}};
  if (table.machine != EM_X86_64) return {Error::kUnsupportedArchitecture, {}, {}};

  Constants constants(table);
  V8Metadata metadata;
  metadata.version = version_of(table);
  // Pointers of 8 bytes, small integers in their upper half, the low bit set in pointers to objects.
  constants.required({8, 8}, {"TaggedSize"});
  constants.required({1, 1}, {"HeapObjectTag"});
  constants.required({31, 31}, {"SmiShiftSize"});
  read_frame_layout(constants, metadata);
  read_types(constants, metadata);
  read_string_layout(constants, metadata);
  read_function_layout(constants, metadata);
  if (!constants.missing().empty()) return {Error::kUnsupportedVersion, constants.missing(), {}};
  return {Error::kNone, {}, std::move(metadata)};
}

}  // namespace codex
