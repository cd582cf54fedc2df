#include "probes/js_stack/memory_maps.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace codex {

namespace {

/// Takes a number and the character after it off the front.
std::optional<std::uint64_t> take(std::string_view& text, int base, char terminator) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty() || text.front() != terminator) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

/// "7f2d7a7c3000-7f2d7a7ff000 r-xp 00001000 fe:00 247823      /usr/bin/node"
std::optional<Mapping> parse_line(std::string_view line) {
  Mapping mapping;
  const auto begin = take(line, 16, '-');
  const auto end = begin ? take(line, 16, ' ') : std::nullopt;
  if (!end || *begin >= *end || line.size() < 5) return std::nullopt;
  mapping.begin = *begin;
  mapping.end = *end;
  mapping.readable = line[0] == 'r';
  mapping.executable = line[2] == 'x';
  line.remove_prefix(5);
  if (!take(line, 16, ' ') || !take(line, 16, ':') || !take(line, 16, ' ')) return std::nullopt;
  const auto inode_end = std::min(line.find(' '), line.size());
  if (std::from_chars(line.data(), line.data() + inode_end, mapping.inode).ec != std::errc())
    return std::nullopt;
  const auto path = line.find_first_not_of(' ', inode_end);
  if (path != std::string_view::npos) mapping.path = line.substr(path);
  return mapping;
}

}  // namespace

MemoryMaps::MemoryMaps(std::string_view text) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    auto mapping = parse_line(line);
    if (mapping && (mappings_.empty() || mapping->begin >= mappings_.back().end))
      mappings_.push_back(std::move(*mapping));
  }
}

const Mapping* MemoryMaps::find(std::uint64_t address) const {
  const auto after = std::upper_bound(mappings_.begin(), mappings_.end(), address,
                                      [](std::uint64_t value, const Mapping& m) { return value < m.begin; });
  if (after == mappings_.begin()) return nullptr;
  const auto& mapping = *std::prev(after);
  return address < mapping.end ? &mapping : nullptr;
}

CodeKind MemoryMaps::code_at(std::uint64_t address) const {
  const auto* mapping = find(address);
  if (!mapping || !mapping->executable) return CodeKind::kNone;
  return mapping->inode != 0 ? CodeKind::kProgram : CodeKind::kGenerated;
}

}  // namespace codex
