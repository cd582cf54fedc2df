#include "probes/js_stack/elf_symbols.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

namespace codex {

namespace {

constexpr std::size_t kMaxTable = 512;  // sections, segments
constexpr std::size_t kMaxNames = 4'096, kMaxName = 200;
constexpr std::uint64_t kMaxStringTable = 128 << 20, kMaxSymbols = 8 << 20;
constexpr std::size_t kPiece = 64 << 10;

using Names = std::unordered_map<std::uint32_t, std::string>;  // by offset in the string table

template <typename T>
std::vector<T> read_table(MemoryReader& file, std::uint64_t offset, std::size_t entries) {
  std::vector<T> table(std::min(entries, kMaxTable));
  const auto bytes = std::as_writable_bytes(std::span(table));
  table.resize(file.read(offset, bytes) / sizeof(T));
  return table;
}

/// Where in a string table a wanted name begins. Linkers let a name share the tail of a longer one, so one
/// may begin in the middle of another.
Names find_names(MemoryReader& file, const Elf64_Shdr& strings, std::span<const std::string_view> prefixes) {
  Names names;
  std::vector<char> piece(kPiece + kMaxName);  // the next piece's beginning, for names across the border
  const auto size = std::min(strings.sh_size, kMaxStringTable);
  for (std::uint64_t at = 0; at < size && names.size() < kMaxNames; at += kPiece) {
    const auto wanted = std::min<std::uint64_t>(piece.size(), size - at);
    const auto got =
        file.read(strings.sh_offset + at, std::as_writable_bytes(std::span(piece).first(wanted)));
    const std::string_view text(piece.data(), got);
    for (const auto prefix : prefixes) {
      for (auto i = text.find(prefix); i < kPiece && i < text.size(); i = text.find(prefix, i + 1)) {
        const auto end = text.find('\0', i);
        if (end == std::string_view::npos || end - i > kMaxName || names.size() >= kMaxNames) continue;
        names.try_emplace(static_cast<std::uint32_t>(at + i), text.substr(i, end - i));
      }
    }
    if (got < wanted) break;
  }
  return names;
}

/// The first value of the variable at `address`: from the file, or 0 where the segment is longer than that.
std::optional<std::int32_t> initial_value(MemoryReader& file, std::span<const Elf64_Phdr> segments,
                                          std::uint64_t address) {
  for (const auto& segment : segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    const auto inside = address - segment.p_vaddr;
    if (inside < segment.p_filesz) return file.number<std::int32_t>(segment.p_offset + inside);
    if (inside < segment.p_memsz) return 0;
  }
  return std::nullopt;
}

void read_symbols(MemoryReader& file, const Elf64_Shdr& section, const Names& names,
                  std::span<const Elf64_Phdr> segments, ElfConstants& constants) {
  std::vector<Elf64_Sym> piece(kPiece / sizeof(Elf64_Sym));
  const auto total = std::min(section.sh_size / sizeof(Elf64_Sym), kMaxSymbols);
  for (std::uint64_t at = 0; at < total;) {
    const auto wanted = std::min<std::uint64_t>(piece.size(), total - at);
    const auto bytes = std::as_writable_bytes(std::span(piece).first(wanted));
    const auto got = file.read(section.sh_offset + at * sizeof(Elf64_Sym), bytes) / sizeof(Elf64_Sym);
    for (const auto& symbol : std::span(piece).first(got)) {
      if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT) continue;
      if (symbol.st_size != sizeof(std::int32_t)) continue;
      const auto name = names.find(symbol.st_name);
      if (name == names.end()) continue;
      if (const auto value = initial_value(file, segments, symbol.st_value))
        constants.values.try_emplace(name->second, *value);
    }
    if (got < wanted) break;
    at += got;
  }
}

}  // namespace

std::optional<ElfConstants> read_elf_constants(MemoryReader& file,
                                               std::span<const std::string_view> prefixes) {
  const auto header = file.number<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) return std::nullopt;
  if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_phentsize != sizeof(Elf64_Phdr))
    return std::nullopt;
  ElfConstants constants;
  constants.machine = header->e_machine;
  const auto sections = read_table<Elf64_Shdr>(file, header->e_shoff, header->e_shnum);
  const auto segments = read_table<Elf64_Phdr>(file, header->e_phoff, header->e_phnum);
  for (const std::uint32_t type : {SHT_DYNSYM, SHT_SYMTAB}) {
    for (const auto& section : sections) {
      if (section.sh_type != type || section.sh_entsize != sizeof(Elf64_Sym)) continue;
      if (section.sh_link >= sections.size()) continue;
      const auto names = find_names(file, sections[section.sh_link], prefixes);
      if (!names.empty()) read_symbols(file, section, names, segments, constants);
    }
    if (!constants.values.empty()) break;
  }
  return constants;
}

}  // namespace codex
