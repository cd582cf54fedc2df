#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "probes/js_stack/elf_symbols.h"

namespace codex {

/// How one build of V8 lays out its stack frames and heap objects, from the constants it publishes for
/// debuggers as variables (v8dbg_*, made by tools/gen-postmortem-metadata.py). Offsets are in bytes from an
/// object's beginning, frame slots in bytes from the frame pointer. All lie in ranges that cannot overflow an
/// address.
///
/// Understood are builds for x86-64 without pointer compression; seen to work with node 16 to 26. A field
/// that is optional is missing in some of these.
struct V8Metadata {
  std::string version;  ///< "11.3.244", "" unless published

  // Frames
  int frame_context_or_type = 0, frame_function = 0;
  std::optional<int> frame_bytecode_array, frame_bytecode_offset;  ///< not in node 16

  // Tags and instance types
  int map_instance_type = 0, type_map = 0;
  int first_function_type = 0, last_function_type = 0;
  int type_shared_function_info = 0, type_script = 0, type_scope_info = 0;
  std::optional<int> type_bytecode_array, type_byte_array, type_trusted_byte_array;

  // Strings
  int first_nonstring_type = 0;
  int string_representation_mask = 0, string_encoding_mask = 0, one_byte_tag = 0;
  int seq_tag = 0, cons_tag = 0, external_tag = 0, sliced_tag = 0, thin_tag = 0;
  int string_length = 0, one_byte_chars = 0, two_byte_chars = 0, external_resource = 0;
  int cons_first = 0, cons_second = 0, sliced_parent = 0, sliced_offset = 0, thin_actual = 0;

  // Functions and scripts
  int function_shared = 0, shared_name_or_scope_info = 0, shared_script = 0;
  int scope_local_count = 0, scope_first_variable = 0;  ///< indexes of slots
  int script_name = 0, script_source = 0;
  std::optional<int> bytecode_data, bytecode_wrapper;
};

/// Prefixes of the symbols to read for v8_metadata().
inline constexpr std::array<std::string_view, 2> kV8SymbolPrefixes = {"v8dbg_", "_ZN2v88internal7Version"};

/// What came of it: metadata, or else why not.
struct V8MetadataResult {
  enum class Error { kNone, kNotV8, kStripped, kUnsupportedArchitecture, kUnsupportedVersion };
  Error error = Error::kNone;
  std::string detail;  ///< for kUnsupportedVersion: the constant that is missing or strange
  std::optional<V8Metadata> metadata;
};
V8MetadataResult v8_metadata(const ElfConstants& constants);

}  // namespace codex
