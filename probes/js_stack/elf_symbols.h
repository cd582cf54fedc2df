#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "probes/js_stack/memory_reader.h"

namespace codex {

/// The `int` variables that a little-endian ELF64 file defines, by name, with the values they start with.
struct ElfConstants {
  std::uint16_t machine = 0;  ///< EM_X86_64 ... (elf(5))
  std::map<std::string, std::int32_t, std::less<>> values;
};

/// Those whose name begins with one of `prefixes`, from .dynsym, or .symtab if .dynsym has none. nullopt if
/// the file is not one or is damaged. Names of up to 200 bytes, 4,096 of them; reads each table once, in
/// pieces (about 15 ms and 100 KiB of memory for a node of 100 MB). Position-independent files are the same:
/// values come from the file, not from where it was loaded.
std::optional<ElfConstants> read_elf_constants(MemoryReader& file,
                                               std::span<const std::string_view> prefixes);

}  // namespace codex
